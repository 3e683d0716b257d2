import { Client } from 'pg';
import { spawnSidecar } from '../test/support/sidecar.ts';
import { BUILT } from './built.ts';
import { eventLoopOf, WATCH_EVENT_LOOP } from './event-loop-of.ts';
import { allTakenUp } from './taken-up.ts';
import { environmentOf, type Way } from './upstream/way.ts';

/** Calls that were queued an hour ago and have been since: no status is young, so that intervals are as long as can be. */
const SEED = `
with account as (
  insert into polykeep_internal.accounts as known (name) values ('default')
      on conflict (name) do update set name = known.name
  returning id
), status as (
  insert into polykeep_internal.statuses as known (name) values ('queued')
      on conflict (name) do update set name = known.name
  returning id
), registered as (
  insert into polykeep_internal.calls
    (call_sid, account, status, metadata, registered_at, first_seen_at, last_seen_at, polls)
  select call_sid, account.id, status.id, '{"campaign": "bench"}', now() - interval '1 hour',
         now() - interval '1 hour', now() - interval '10 s', 1000
    from unnest($1::text[]) call_sid, account, status
  returning id
)
insert into polykeep_internal.unsettled (call_id, followed_until) select id, now() - interval '10 s' from registered`;

export interface CrowdOptions {
  databaseUrl: string;
  redisUrl: string;
  way: Way;
  workers: number;
  callSids: readonly string[];
  more?: Record<string, string>;
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
  const { databaseUrl, redisUrl, way, workers, callSids, more = {} } = options;
  await seed(databaseUrl, callSids);
  const sidecars = Array.from({ length: workers }, () =>
    spawnSidecar(
      {
        DATABASE_URL: databaseUrl,
        REDIS_URL: redisUrl,
        ...environmentOf(way),
        // No more than its part, so that the first worker leaves the others theirs.
        WORKER_CONCURRENCY: `${Math.max(1, Math.ceil(callSids.length / workers))}`,
        ...WATCH_EVENT_LOOP,
        ...more,
      },
      'worker',
      BUILT,
    ),
  );
  const stop = async () => void (await Promise.all(sidecars.map((sidecar) => sidecar.end('SIGKILL'))));
  try {
    await Promise.all(sidecars.map((sidecar) => sidecar.url()));
    await allTakenUp({ databaseUrl, redisUrl }, callSids.length);
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
  await client.query('vacuum analyze polykeep_internal.calls, polykeep_internal.unsettled');
  await client.end();
}
