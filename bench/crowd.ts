import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { archiveId } from '../src/archive/identity.ts';
import { type SidecarProcess, spawnSidecar } from '../test/support/sidecar.ts';

const EVENT_LOOP = fileURLToPath(new URL('./event-loop.ts', import.meta.url));
const LOOK_EVERY_MS = 250;
const TAKEN_UP_WITHIN_MS = 60_000;

/** Calls that were queued an hour ago and have been since: no status is young, so that intervals are as long as can be. */
const SEED = `
insert into calls (call_sid, account, status, metadata, registered_at, first_seen_at, last_seen_at, followed_until, polls)
select call_sid, 'default', 'queued', '{"campaign": "bench"}', now() - interval '1 hour', now() - interval '1 hour',
       now() - interval '10 s', now() - interval '10 s', 1000
  from unnest($1::text[]) call_sid`;

export interface CrowdOptions {
  databaseUrl: string;
  redisUrl: string;
  upstreamUrl: string;
  workers: number;
  callSids: readonly string[];
}

/** Workers that follow many calls, at the default pace. */
export interface Crowd {
  pids: number[];
  /** Of the slowest worker, since it was last asked; milliseconds. */
  eventLoopP99(): Promise<number>;
  stop(): Promise<void>;
}

/** Resolves when every call is followed. Nothing is stopped in good order: what is left is not looked at. */
export async function startCrowd(options: CrowdOptions): Promise<Crowd> {
  const { databaseUrl, redisUrl, upstreamUrl, workers, callSids } = options;
  await seed(databaseUrl, callSids);
  const sidecars = Array.from({ length: workers }, () =>
    spawnSidecar(
      {
        DATABASE_URL: databaseUrl,
        REDIS_URL: redisUrl,
        POLYAI_AUTH_TOKEN: 'bench-token',
        POLYAI_BASE_URL: upstreamUrl,
        // No more than its part, so that the first worker leaves the others theirs.
        WORKER_CONCURRENCY: `${Math.max(1, Math.ceil(callSids.length / workers))}`,
        NODE_OPTIONS: `--import=${EVENT_LOOP}`,
      },
      'worker',
    ),
  );
  const stop = async () => void (await Promise.all(sidecars.map((sidecar) => sidecar.end('SIGKILL'))));
  try {
    await Promise.all(sidecars.map((sidecar) => sidecar.url()));
    await allTakenUp(redisUrl, `polykeep:${await archiveId(databaseUrl)}:calls:active`, callSids.length);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    pids: sidecars.map(({ process: { pid } }) => pid ?? 0),
    eventLoopP99: async () => Math.max(...(await Promise.all(sidecars.map(eventLoopOf)))),
    stop,
  };
}

async function seed(databaseUrl: string, callSids: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(SEED, [callSids]);
  await client.query('vacuum analyze calls');
  await client.end();
}

async function allTakenUp(redisUrl: string, active: string, calls: number): Promise<void> {
  const redis = new Redis(redisUrl);
  const deadline = performance.now() + TAKEN_UP_WITHIN_MS;
  try {
    while ((await redis.llen(active)) < calls) {
      if (performance.now() > deadline) throw new Error(`not all of ${calls} calls were taken up`);
      await sleep(LOOK_EVERY_MS);
    }
  } finally {
    redis.disconnect();
  }
}

async function eventLoopOf({ process, stderr }: SidecarProcess): Promise<number> {
  const before = stderr().length;
  process.kill('SIGUSR2');
  for (;;) {
    const [, ms] = /"eventLoopP99Ms":([\d.]+)}/.exec(stderr().slice(before)) ?? [];
    if (ms !== undefined) return Number(ms);
    await sleep(LOOK_EVERY_MS / 10);
  }
}
