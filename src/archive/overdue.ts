import type { Pool, PoolClient } from 'pg';
import { whileLocked } from './advisory-lock.ts';

/** One sweep at a time, whichever process does it. */
const SWEEP_LOCK = 7_066_521_391;

/** Between the two bounds, and after the last call of the page before; times as text keep their microseconds. */
const UNFOLLOWED = `
select call_sid, followed_until::text as until
  from calls
 where settled_at is null and followed_until < $2::timestamptz
   and (followed_until, call_sid) > ($1::timestamptz, $3::text)
 order by followed_until, call_sid
 limit $4`;

/** Locked rows are being written by a follower: they need no promise, and to wait for them could end in a ring. */
const PROMISE_TO_FOLLOW = `
update calls
   set followed_until = clock_timestamp() + $2 * interval '1 ms'
 where call_sid in (select call_sid from calls
                     where call_sid = any($1::text[]) and settled_at is null and followed_until < $3::timestamptz
                     order by call_sid
                       for update skip locked)`;

export interface OverdueCalls {
  /**
   * Gives every unsettled call that nobody has promised to follow, page by page, longest forgotten first; with
   * `includeFollowed` every unsettled call. A page that was visited is promised to be followed for a while: a call
   * that waits its turn in the queue is not given again and again. Does nothing (and returns false) while another
   * process sweeps.
   */
  sweep(
    visit: (callSids: string[]) => Promise<void>,
    options: { includeFollowed: boolean },
  ): Promise<boolean>;
}

export interface OverdueOptions {
  pool: Pool;
  /** No honest promise is for longer: one that is was made before the clock was set back. */
  longestPromiseMs: number;
  /** How long a visited call may wait in the queue. */
  patienceMs: number;
  pageSize?: number;
}

interface Range {
  from: string;
  to: string;
  /** Not where every call is visited: what was promised anew would come up again behind the last page. */
  promise: boolean;
}

interface OverdueRow {
  call_sid: string;
  until: string;
}

export function createOverdueCalls({
  pool,
  longestPromiseMs,
  patienceMs,
  pageSize = 1_000,
}: OverdueOptions): OverdueCalls {
  type Visit = (callSids: string[]) => Promise<void>;

  async function rangesOf(client: PoolClient, includeFollowed: boolean): Promise<Range[]> {
    if (includeFollowed) return [{ from: '-infinity', to: 'infinity', promise: false }];
    const { rows } = await client.query<{ past: string; future: string }>(
      `select now()::text as past, (now() + $1 * interval '1 ms')::text as future`,
      [longestPromiseMs],
    );
    return rows.flatMap(({ past, future }) => [
      { from: '-infinity', to: past, promise: true },
      { from: future, to: 'infinity', promise: true },
    ]);
  }

  async function sweepRange(client: PoolClient, { from, to, promise }: Range, visit: Visit): Promise<void> {
    let last: OverdueRow | undefined = { until: from, call_sid: '' };
    while (last !== undefined) {
      const { rows }: { rows: OverdueRow[] } = await client.query<OverdueRow>({
        name: 'unfollowed_calls',
        text: UNFOLLOWED,
        values: [last.until, to, last.call_sid, pageSize],
      });
      if (rows.length === 0) return;
      const callSids = rows.map((row) => row.call_sid);
      await visit(callSids);
      if (promise) await client.query(PROMISE_TO_FOLLOW, [callSids, patienceMs, to]);
      last = rows.length < pageSize ? undefined : rows.at(-1);
    }
  }

  return {
    async sweep(visit, { includeFollowed }) {
      const swept = await whileLocked(pool, SWEEP_LOCK, async (client) => {
        for (const range of await rangesOf(client, includeFollowed)) await sweepRange(client, range, visit);
        return true;
      });
      return swept ?? false;
    },
  };
}
