import type { Pool } from 'pg';
import type { Transition } from '../../call/call.ts';
import { batched } from '../batch.ts';
import { answering } from '../database.ts';
import { FeedPositionAheadError } from '../errors.ts';
import type { FeedPosition } from './cursors.ts';

/** How many transitions one statement looks at for a page of an account: of a rare one it could look at them all. */
const MAX_SCAN = 2_000;
/** How many such statements one request runs before it gives a page without transitions. */
const MAX_SCANS = 25;

/**
 * All transactions below the snapshot's xmin are over, so no row can appear there any more: a reader that has gone by
 * has missed nothing. `offset 0` has Postgres look up the account row by row: a plain join it may begin with `calls`, and
 * read that whole table for one page.
 */
const READ_FEED = `
with horizon as (
  select pg_snapshot_xmin(pg_current_snapshot()) as xmin
), matched as materialized (
  select t.xid, t.call_sid, c.account, t.seq, t.status, t.reason, t.changed_after, t.observed_at, t.last_updated
    from horizon h
   cross join lateral (
         select * from transitions t
          where (t.xid, t.call_sid, t.seq) > ($1::xid8, $2::text, $3::int) and t.xid < h.xmin
          order by t.xid, t.call_sid, t.seq
          limit $6) t
   cross join lateral (select account from calls c where c.call_sid = t.call_sid offset 0) c
   where $4::text is null or c.account = $4::text
   order by t.xid, t.call_sid, t.seq
   limit $5
), last_scanned as (
  select t.xid, t.call_sid, t.seq, count(*) over ()::int as scanned
    from horizon h
   cross join lateral (
         select t.xid, t.call_sid, t.seq from transitions t
          where (t.xid, t.call_sid, t.seq) > ($1::xid8, $2::text, $3::int) and t.xid < h.xmin
          order by t.xid, t.call_sid, t.seq
          limit $6) t
   where (select count(*) from matched) < $5
   order by t.xid desc, t.call_sid desc, t.seq desc
   limit 1
)
select h.xmin::text, coalesce(l.scanned, 0) as scanned,
       l.xid::text as last_xid, l.call_sid as last_call_sid, l.seq as last_seq,
       m.xid::text, m.call_sid, m.account, m.seq, m.status, m.reason, m.changed_after, m.observed_at, m.last_updated
  from horizon h
  left join last_scanned l on true
  left join matched m on true
 order by m.xid, m.call_sid, m.seq`;

const FEED_HEAD = `
select (select t.xid from transitions t where t.xid < s.xmin order by t.xid desc limit 1)::text as newest,
       coalesce((select t.xid from transitions t order by t.xid desc limit 1) >= s.xmin, false) as lags
  from (select pg_snapshot_xmin(pg_current_snapshot()) as xmin) s`;

export interface FeedQuery {
  after: FeedPosition;
  limit: number;
  /** null: of all accounts. */
  account: string | null;
}

interface FeedTransition extends Transition {
  callSid: string;
  account: string;
}

export interface FeedPage {
  transitions: FeedTransition[];
  /**
   * Where the next page begins: always behind a transition that is there for good. Numbers of transactions that left
   * none may be given out again after a crash.
   */
  next: FeedPosition;
  /** Nothing more could be read. */
  isEnd: boolean;
}

interface FeedHead {
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
  readBatched(query: FeedQuery): Promise<FeedPage>;
  head(): Promise<FeedHead>;
}

interface Scan {
  xmin: string;
  /** How many transitions were looked at for a page that is not full, and the last of them. */
  scanned: number;
  last_xid: string | null;
  last_call_sid: string | null;
  last_seq: number | null;
}

interface FeedRow extends Scan {
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

/** Without a transition the one row tells of the scan alone. */
type EmptyRow = Scan & { [Column in Exclude<keyof FeedRow, keyof Scan>]: null };

export function createFeed(pool: Pool): Feed {
  async function read(query: FeedQuery): Promise<FeedPage> {
    let page = await readOnce(query);
    for (let scans = 1; !page.isEnd && page.transitions.length === 0 && scans < MAX_SCANS; scans++) {
      page = await readOnce({ ...query, after: page.next });
    }
    return page;
  }

  async function readOnce({ after, limit, account }: FeedQuery): Promise<FeedPage> {
    const atMost = account === null ? limit : MAX_SCAN;
    const values = [after.xid, after.callSid, after.seq, account, limit, atMost];
    // No named statement: the plan is for these values, not for any.
    const { rows } = await answering(pool.query<FeedRow | EmptyRow>(READ_FEED, values));
    const [first] = rows;
    if (first !== undefined && BigInt(after.xid) > BigInt(first.xmin)) throw new FeedPositionAheadError();
    const page = rows.filter((row) => row.xid !== null);
    const last = page.at(-1);
    const isFull = last !== undefined && page.length === limit;
    return {
      transitions: page.map(transitionOf),
      next: isFull ? { xid: last.xid, callSid: last.call_sid, seq: last.seq } : (lastScanned(first) ?? after),
      isEnd: !isFull && (first?.scanned ?? 0) < atMost,
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
    readBatched: batched(readAll),
    async head() {
      const { rows } = await answering(pool.query<FeedHead>(FEED_HEAD));
      return rows[0] ?? { newest: null, lags: false };
    },
  };
}

function lastScanned(scan: Scan | undefined): FeedPosition | null {
  const { last_xid: xid = null, last_call_sid: callSid = null, last_seq: seq = null } = scan ?? {};
  return xid === null || callSid === null || seq === null ? null : { xid, callSid, seq };
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
