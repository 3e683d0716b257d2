import type { Pool, PoolClient } from 'pg';
import type { Logger } from 'pino';
import { whileLocked } from '../archive/advisory-lock.ts';
import { type Clock, within } from '../clock.ts';
import { createRounds, type Rounds } from './rounds.ts';

/** Advisory lock of the one process that sweeps. */
const SWEEP_LOCK = 7_066_521_391;
const PAGE_SIZE = 1_000;
/** The queue takes a page within so long, or does not work. */
const REQUEUE_WITHIN_MS = 30_000;

/**
 * The calls after the last one of the page before ($1, $3) whose promise ended before $2. The times go to and fro as
 * text, since a `Date` would cut off their microseconds.
 */
const UNFOLLOWED = `
select n.call_id as id, c.call_sid, n.followed_until::text as until
  from (select * from polykeep_internal.unsettled
         where followed_until < $2::timestamptz and (followed_until, call_id) > ($1::timestamptz, $3::int8)
         order by followed_until, call_id
         limit $4) n
  join polykeep_internal.calls c on c.id = n.call_id
 order by n.followed_until, n.call_id`;

/**
 * Passes over a row that is locked: a follower is writing it, so the call needs no promise, and to wait for the lock
 * could end in a deadlock.
 */
const PROMISE_TO_FOLLOW = `
update polykeep_internal.unsettled
   set followed_until = clock_timestamp() + $2 * interval '1 ms'
 where call_id in (select call_id from polykeep_internal.unsettled
                    where call_id = any($1::int8[]) and followed_until < $3::timestamptz
                    order by call_id
                      for update skip locked)`;

/** What is measured of the sweeper. */
export interface SweepMetrics {
  sweptUp(calls: number): void;
}

export interface SweeperOptions {
  pool: Pool;
  /** Has the calls followed, whatever the queue has of them. */
  requeue: (callSids: readonly string[]) => Promise<void>;
  /** Milliseconds. A promise that is for longer was made before the clock was set back, and counts as over. */
  longestPromiseMs: number;
  /** Milliseconds that a call which was swept up may wait in the queue before it is swept up again. */
  patienceMs: number;
  everyMs: number;
  /** Where no other process can follow calls, the first sweep takes up every unsettled one, whatever was promised. */
  alone: boolean;
  metrics: SweepMetrics;
  clock: Clock;
  log: Logger;
  pageSize?: number;
}

interface Sweeper extends Rounds {
  /**
   * One sweep. Every unsettled call whose promise has passed (or every unsettled call, where nobody else can follow
   * any) is queued anew, longest forgotten first, and promised to be followed for `patienceMs`. Returns false, with
   * nothing done, while another process sweeps. Rejects with what Postgres or the queue says.
   */
  sweep(): Promise<boolean>;
}

interface Range {
  from: string;
  to: string;
  /**
   * Whether calls that were swept up are promised to be followed. Not where all calls are visited: a new promise would
   * move a call behind the last page, and the sweep would come to it again.
   */
  promise: boolean;
}

interface OverdueRow {
  id: string;
  call_sid: string;
  until: string;
}

/**
 * Finds calls that nobody follows: registered while the queue was away, forgotten by a queue that was flushed, or left
 * behind by a process that died. Postgres knows them by a `followed_until` that has passed.
 */
export function createSweeper(options: SweeperOptions): Sweeper {
  const { pool, requeue, longestPromiseMs, patienceMs, everyMs, metrics, clock, log } = options;
  const { pageSize = PAGE_SIZE } = options;
  let everyCall = options.alone;

  async function round(): Promise<void> {
    await sweep();
  }

  async function sweep(): Promise<boolean> {
    let found = 0;
    const swept = await whileLocked(pool, SWEEP_LOCK, async (client) => {
      for (const range of await rangesOf(client)) found += await sweepRange(client, range);
      return true;
    });
    if (found > 0) log.info({ calls: found }, 'took up calls that nobody followed');
    if (swept === null) return false;
    everyCall = false;
    return true;
  }

  async function rangesOf(client: PoolClient): Promise<Range[]> {
    if (everyCall) return [{ from: '-infinity', to: 'infinity', promise: false }];
    const { rows } = await client.query<{ past: string; future: string }>(
      `select now()::text as past, (now() + $1 * interval '1 ms')::text as future`,
      [longestPromiseMs],
    );
    return rows.flatMap(({ past, future }) => [
      { from: '-infinity', to: past, promise: true },
      { from: future, to: 'infinity', promise: true },
    ]);
  }

  async function sweepRange(client: PoolClient, { from, to, promise }: Range): Promise<number> {
    let found = 0;
    let last: Pick<OverdueRow, 'id' | 'until'> | undefined = { until: from, id: '0' };
    while (last !== undefined) {
      const { rows }: { rows: OverdueRow[] } = await client.query<OverdueRow>({
        name: 'unfollowed_calls',
        text: UNFOLLOWED,
        values: [last.until, to, last.id, pageSize],
      });
      if (rows.length === 0) return found;
      const callSids = rows.map((row) => row.call_sid);
      await requeueInTime(callSids);
      found += callSids.length;
      metrics.sweptUp(callSids.length);
      if (promise) await client.query(PROMISE_TO_FOLLOW, [rows.map(({ id }) => id), patienceMs, to]);
      last = rows.length < pageSize ? undefined : rows.at(-1);
    }
    return found;
  }

  /** Meanwhile no other process can sweep. */
  async function requeueInTime(callSids: readonly string[]): Promise<void> {
    const requeued = requeue(callSids);
    if (!(await within(REQUEUE_WITHIN_MS, requeued))) throw new Error('the queue took no calls in time');
    await requeued;
  }

  return { ...createRounds({ name: 'sweep', work: round, everyMs, clock, log }), sweep };
}
