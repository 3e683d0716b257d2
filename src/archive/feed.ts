import type { Pool } from 'pg';
import { batched } from './batch.ts';
import type { Transition } from './call.ts';
import { answering } from './database.ts';
import { FeedPositionAheadError } from './errors.ts';
import type { FeedPosition } from './feed-cursor.ts';

/**
 * All transactions below the snapshot's xmin are over, so no row can appear there any more: a reader that has gone by
 * has missed nothing. The account is looked up row by row (`offset 0` keeps it so), since a join that the planner
 * turns round would read the whole table for one page.
 */
export const READ_FEED = `
select s.xmin::text, t.xid::text, t.call_sid, t.account, t.seq, t.status, t.reason, t.changed_after, t.observed_at,
       t.last_updated
  from (select pg_snapshot_xmin(pg_current_snapshot()) as xmin) s
  left join lateral (
       select t.xid, t.call_sid, c.account, t.seq, t.status, t.reason, t.changed_after, t.observed_at, t.last_updated
         from transitions t
        cross join lateral (select account from calls c where c.call_sid = t.call_sid offset 0) c
        where (t.xid, t.call_sid, t.seq) > ($1::xid8, $2::text, $3::int) and t.xid < s.xmin
          and ($4::text is null or c.account = $4::text)
        order by t.xid, t.call_sid, t.seq
        limit $5) t on true
 order by t.xid, t.call_sid, t.seq`;

export const FEED_HEAD = `
select (select t.xid from transitions t where t.xid < s.xmin order by t.xid desc limit 1)::text as newest,
       coalesce((select t.xid from transitions t order by t.xid desc limit 1) >= s.xmin, false) as lags
  from (select pg_snapshot_xmin(pg_current_snapshot()) as xmin) s`;

export interface FeedQuery {
  after: FeedPosition;
  limit: number;
  /** null: of all accounts. */
  account: string | null;
}

export interface FeedTransition extends Transition {
  callSid: string;
  account: string;
}

export interface FeedPage {
  transitions: FeedTransition[];
  /** Where the next page begins, also after an empty one: then its `xid` is above all that could be read. */
  next: FeedPosition;
}

export interface FeedHead {
  /** The newest transaction whose transitions can be read; null where there is none. */
  newest: string | null;
  /** Transitions are committed that cannot be read yet: an older transaction is still open somewhere. */
  lags: boolean;
}

/** All throw `ArchiveUnavailableError` where Postgres is away. */
export interface Feed {
  /** Every transition once, in the order (xid, callSid, seq). Throws `FeedPositionAheadError`. */
  read(query: FeedQuery): Promise<FeedPage>;
  /** As `read`, for many at once: they leave connections of the pool to others. */
  readInTurn(query: FeedQuery): Promise<FeedPage>;
  head(): Promise<FeedHead>;
}

interface FeedRow {
  xmin: string;
  xid: string;
  call_sid: string;
  account: string;
  seq: number;
  status: string;
  reason: string | null;
  changed_after: Date | null;
  observed_at: Date;
  last_updated: Date | null;
}

/** Without a transition the one row tells xmin alone. */
type EmptyRow = { [Column in keyof FeedRow]: Column extends 'xmin' ? string : null };

export function createFeed(pool: Pool): Feed {
  async function read({ after, limit, account }: FeedQuery): Promise<FeedPage> {
    // No named statement: the plan is for these values, not for any.
    const found = pool.query<FeedRow | EmptyRow>(READ_FEED, [
      after.xid,
      after.callSid,
      after.seq,
      account,
      limit,
    ]);
    const { rows } = await answering(found);
    const xmin = rows[0]?.xmin ?? after.xid;
    if (BigInt(after.xid) > BigInt(xmin)) throw new FeedPositionAheadError();
    const page = rows.filter((row) => row.xid !== null);
    const last = page.at(-1);
    const isFull = last !== undefined && page.length === limit;
    return {
      transitions: page.map(transitionOf),
      next: isFull
        ? { xid: last.xid, callSid: last.call_sid, seq: last.seq }
        : { xid: xmin, callSid: '', seq: 0 },
    };
  }

  /** One after the other on one connection at a time; those that ask the same are asked once. */
  async function readAll(queries: readonly FeedQuery[]): Promise<(FeedPage | Error)[]> {
    const pages = new Map<string, FeedPage | Error>();
    for (const query of queries) {
      const key = JSON.stringify(query);
      if (!pages.has(key)) pages.set(key, await read(query).catch(asError));
    }
    return queries.map((query) => pages.get(JSON.stringify(query)) ?? new Error('not read'));
  }

  return {
    read,
    readInTurn: batched(readAll),
    async head() {
      const { rows } = await answering(pool.query<FeedHead>(FEED_HEAD));
      return rows[0] ?? { newest: null, lags: false };
    },
  };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function transitionOf(row: FeedRow): FeedTransition {
  return {
    callSid: row.call_sid,
    account: row.account,
    seq: row.seq,
    status: row.status,
    reason: row.reason,
    changedAfter: row.changed_after,
    observedAt: row.observed_at,
    lastUpdated: row.last_updated,
  };
}
