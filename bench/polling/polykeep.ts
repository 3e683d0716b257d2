import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { client } from '../../test/support/client.ts';
import { type SidecarProcess, spawnSidecar } from '../../test/support/sidecar.ts';
import { type Bench, postmasterOf } from '../bench.ts';
import type { Running } from './candidate.ts';

/** No pause between two polls of a call: as fast as it can. Everything else is as it comes. */
const FLAT_OUT = { POLL_INTERVAL_MIN_MS: '1', POLL_INTERVAL_MAX_MS: '1' };

async function environmentOf(bench: Bench): Promise<Record<string, string>> {
  const { url } = await bench.upstream();
  return { POLYAI_AUTH_TOKEN: 'a-token-of-some-length', POLYAI_BASE_URL: url, PORT: '0', ...FLAT_OUT };
}

/** A worker with Redis and Postgres. Its calls are registered with an api process that has ended when it is measured. */
export async function startWorker(bench: Bench, more: Record<string, string> = {}): Promise<Running> {
  const [redis, postgres] = [await bench.redis(), await bench.postgres()];
  const shared = {
    ...(await environmentOf(bench)),
    DATABASE_URL: await bench.database(),
    REDIS_URL: redis.url,
  };
  const api = spawnSidecar(shared, 'api');
  const worker = spawnSidecar({ ...shared, ...more }, 'worker');
  await Promise.all([api.url(), worker.url()]);
  return {
    pids: { own: worker.process.pid ?? 0, redis: redis.pid, postmaster: postgres.pid },
    async follow(callSids) {
      await register(api, callSids);
      await api.end('SIGTERM');
    },
    stop: async () => void (await worker.end('SIGTERM')),
  };
}

/** Everything in one process, but for the Postgres that it brings. */
export async function startEmbedded(bench: Bench, more: Record<string, string> = {}): Promise<Running> {
  const dataDir = join(bench.folder, randomUUID());
  const sidecar = spawnSidecar({ ...(await environmentOf(bench)), DATA_DIR: dataDir, ...more });
  await sidecar.url();
  return {
    pids: { own: sidecar.process.pid ?? 0, redis: null, postmaster: await postmasterOf(dataDir) },
    follow: (callSids) => register(sidecar, callSids),
    stop: async () => void (await sidecar.end('SIGTERM')),
  };
}

async function register(sidecar: SidecarProcess, callSids: string[]): Promise<void> {
  const { status } = await client(await sidecar.url()).post('/v1/calls/batch', {
    calls: callSids.map((callSid) => ({ callSid })),
  });
  if (status !== 200) throw new Error(`the calls were not registered: ${status}`);
}
