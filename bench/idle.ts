import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawnSidecar } from '../test/support/sidecar.ts';
import type { Bench } from './bench.ts';
import { BUILT } from './built.ts';
import { memoryOf } from './cpu.ts';
import { environmentOf, plainWay } from './upstream/way.ts';

const IDLE_MS = 60_000;

/** Resident bytes of processes that have nothing to do; of `serve` without the Postgres that it brings. */
export interface Idle {
  worker: number;
  serve: number;
}

/** Starts them; `memory` waits until they have been idle for a minute, which may have passed by then. */
export async function startIdle(bench: Bench): Promise<AsyncDisposable & { memory(): Promise<Idle> }> {
  const environment = { ...environmentOf(await plainWay(bench)), PORT: '0' };
  const stores = { DATABASE_URL: await bench.database(), REDIS_URL: (await bench.redis()).url };
  const worker = spawnSidecar({ ...environment, ...stores }, 'worker', BUILT);
  const serve = spawnSidecar({ ...environment, DATA_DIR: join(bench.folder, randomUUID()) }, 'serve', BUILT);
  const all = [worker, serve];
  await Promise.all(all.map((one) => one.url()));
  const from = performance.now();
  return {
    async memory() {
      await sleep(Math.max(0, from + (bench.quick ? 1_000 : IDLE_MS) - performance.now()));
      const [ofWorker = 0, ofServe = 0] = await Promise.all(
        all.map(({ process: { pid } }) => memoryOf(pid ?? 0)),
      );
      return { worker: ofWorker, serve: ofServe };
    },
    [Symbol.asyncDispose]: async () => void (await Promise.all(all.map((one) => one.end('SIGTERM')))),
  };
}
