import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { client } from '../../test/support/client.ts';
import { type SidecarProcess, spawnByShell, spawnSidecar } from '../../test/support/sidecar.ts';
import { type Bench, postmasterOf } from '../bench.ts';
import { BUILT } from '../built.ts';
import { allTakenUp } from '../taken-up.ts';
import { environmentOf, plainWay, type Way } from '../upstream/way.ts';
import type { Running } from './candidate.ts';

/** No pause between two polls of a call: as fast as it can. Everything else is as it comes. */
const FLAT_OUT = { POLL_INTERVAL_MIN_MS: '1', POLL_INTERVAL_MAX_MS: '1' };

export interface PolykeepOptions {
  /** null: the plain one that the parts share. */
  way?: Way | null;
  /** Requests under way at most. Without it as many as polykeep likes. */
  atOnce?: number;
  more?: Record<string, string>;
  /** What is run; without it what was built. */
  main?: string;
}

/** A worker with Redis and Postgres. Its calls are registered with an api process that has ended when it is measured. */
export async function startWorker(bench: Bench, options: PolykeepOptions = {}): Promise<Running> {
  const [redis, postgres] = [await bench.redis(), await bench.postgres()];
  const way = options.way ?? (await plainWay(bench));
  const databaseUrl = await bench.database();
  const shared = {
    ...environmentOf(way),
    ...FLAT_OUT,
    PORT: '0',
    DATABASE_URL: databaseUrl,
    REDIS_URL: redis.url,
  };
  const api = spawnSidecar(shared, 'api', options.main ?? BUILT);
  const worker = start({ ...shared, ...options.more }, 'worker', options);
  await Promise.all([api.url(), worker.url()]);
  return {
    pids: { own: worker.process.pid ?? 0, redis: redis.pid, postmaster: postgres.pid },
    upstream: way.upstream,
    async follow(callSids) {
      await register(api, callSids);
      // An api that ends before leaves to the sweeper what it did not enqueue yet.
      await allTakenUp({ databaseUrl, redisUrl: redis.url }, callSids.length);
      await api.end('SIGTERM');
    },
    stop: async () => void (await worker.end('SIGTERM')),
  };
}

/** Everything in one process, but for the Postgres that it brings. */
export async function startEmbedded(bench: Bench, options: PolykeepOptions = {}): Promise<Running> {
  const dataDir = join(bench.folder, randomUUID());
  const way = options.way ?? (await plainWay(bench));
  const sidecar = start(
    { ...environmentOf(way), ...FLAT_OUT, PORT: '0', DATA_DIR: dataDir, ...options.more },
    'serve',
    options,
  );
  await sidecar.url();
  return {
    pids: { own: sidecar.process.pid ?? 0, redis: null, postmaster: await postmasterOf(dataDir) },
    upstream: way.upstream,
    follow: (callSids) => register(sidecar, callSids),
    stop: async () => void (await sidecar.end('SIGTERM')),
  };
}

/** polykeep has half of the open files beyond 80 for connections to PolyAI (`src/open-files.ts`). */
function start(
  environment: Record<string, string>,
  command: string,
  { atOnce, main = BUILT }: PolykeepOptions,
): SidecarProcess {
  if (atOnce === undefined) return spawnSidecar(environment, command, main);
  return spawnByShell(environment, `ulimit -n ${80 + 2 * atOnce}`, command, main);
}

async function register(sidecar: SidecarProcess, callSids: string[]): Promise<void> {
  const { status } = await client(await sidecar.url()).post('/v1/calls/batch', {
    calls: callSids.map((callSid) => ({ callSid })),
  });
  if (status !== 200) throw new Error(`the calls were not registered: ${status}`);
}
