import type { Pool } from 'pg';
import { batched } from '../batch.ts';
import { answering } from '../database.ts';
import { FeedPositionAheadError } from '../errors.ts';
import { TRANSITION_FIELDS } from './call-json.ts';
import { FEED_START, type FeedPosition } from './cursors.ts';
import { object, text } from './json-text.ts';

/** How many transitions one statement looks at for a page of an account: of a rare one it could look at them all. */
const MAX_SCAN = 2_000;
/** How many such statements one request runs before it gives a page without transitions. */
const MAX_SCANS = 25;

const TRANSITION = object([
  ['callSid', text('t.call_sid')],
  ['account', text('a.name')],
  ...TRANSITION_FIELDS,
]);

/** The next $6 transitions behind ($1, $2, $3): those of one transaction are few, and sorted as they are read. */
const NEXT = (columns: string) => `
         select ${columns} from polykeep_internal.transitions t
          where (t.xid, t.call_id, t.seq) > ($1::xid8, $2::int8, $3::int2) and t.xid < h.xmin
          order by t.xid, t.call_id, t.seq
          limit $6`;

/**
 * All transactions below the snapshot's xmin are over, so no row can appear there any more: a reader that has gone by
 * has missed nothing. `offset 0` has Postgres look up the calls row by row: a plain join it may begin with `calls`, and
 * read that whole table for one page.
 */
const READ_FEED = `
with horizon as (
  select pg_snapshot_xmin(pg_current_snapshot()) as xmin
), matched as materialized (
  select t.*, c.call_sid, c.account
    from horizon h
   cross join lateral (${NEXT('*')}) t
   cross join lateral (
         select call_sid, account from polykeep_internal.calls c where c.id = t.call_id offset 0) c
   where $4::text is null or c.account = (select id from polykeep_internal.accounts where name = $4::text)
   order by t.xid, t.call_id, t.seq
   limit $5
), last_scanned as (
  select t.xid, t.call_id, t.seq, count(*) over ()::int as scanned
    from horizon h
   cross join lateral (${NEXT('t.xid, t.call_id, t.seq')}) t
   where (select count(*) from matched) < $5
   order by t.xid desc, t.call_id desc, t.seq desc
   limit 1
), written as (
  select t.xid, t.call_id, t.seq, ${TRANSITION} as json
    from matched t
    left join polykeep_internal.accounts a on a.id = t.account
    left join polykeep_internal.statuses ts on ts.id = t.status
)
select h.xmin::text, coalesce(l.scanned, 0) as scanned,
       l.xid::text as "lastXid", l.call_id as "lastCallId", l.seq as "lastSeq",
       w.xid::text, w.call_id as "callId", w.seq, w.json
  from horizon h
  left join last_scanned l on true
  left join written w on true
 order by w.xid, w.call_id, w.seq`;

const FEED_END = `
select t.xid::text, t.call_id as "callId", t.seq from polykeep_internal.transitions t
 where t.xid < pg_snapshot_xmin(pg_current_snapshot())
 order by t.xid desc, t.call_id desc, t.seq desc
 limit 1`;

const FEED_HEAD = `
select (select t.xid from polykeep_internal.transitions t where t.xid < s.xmin order by t.xid desc limit 1)::text as newest,
       coalesce((select t.xid from polykeep_internal.transitions t order by t.xid desc limit 1) >= s.xmin, false) as lags
  from (select pg_snapshot_xmin(pg_current_snapshot()) as xmin) s`;

export interface FeedQuery {
  after: FeedPosition;
  limit: number;
  /** null: of all accounts. */
  account: string | null;
}

export interface FeedPage {
  /** Each as JSON, as the API answers it. */
  transitions: string[];
  /** Where each of them is. */
  positions: FeedPosition[];
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
  /** Every transition once, in the order (xid, callId, seq). Throws `FeedPositionAheadError`. */
  read(query: FeedQuery): Promise<FeedPage>;
  /** As `read`, for many at once: they leave connections of the pool to others. */
  readBatched(query: FeedQuery): Promise<FeedPage>;
  head(): Promise<FeedHead>;
  /** Behind all that can be read now. */
  end(): Promise<FeedPosition>;
}

interface Scan {
  xmin: string;
  /** How many transitions were looked at for a page that is not full, and the last of them. */
  scanned: number;
  lastXid: string | null;
  lastCallId: string | null;
  lastSeq: number | null;
}

interface FeedRow extends Scan, FeedPosition {
  json: string;
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
    const values = [after.xid, after.callId, after.seq, account, limit, atMost];
    // No named statement: the plan is for these values, not for any.
    const { rows } = await answering(pool.query<FeedRow | EmptyRow>(READ_FEED, values));
    const [first] = rows;
    if (first !== undefined && BigInt(after.xid) > BigInt(first.xmin)) throw new FeedPositionAheadError();
    const page = rows.filter((row) => row.xid !== null);
    const last = page.at(-1);
    const isFull = last !== undefined && page.length === limit;
    return {
      transitions: page.map(({ json }) => json),
      positions: page.map(({ xid, callId, seq }) => ({ xid, callId, seq })),
      next: isFull ? { xid: last.xid, callId: last.callId, seq: last.seq } : (lastScanned(first) ?? after),
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
    async end() {
      const { rows } = await answering(pool.query<FeedPosition>(FEED_END));
      return rows[0] ?? FEED_START;
    },
  };
}

function lastScanned(scan: Scan | undefined): FeedPosition | null {
  const { lastXid: xid = null, lastCallId: callId = null, lastSeq: seq = null } = scan ?? {};
  return xid === null || callId === null || seq === null ? null : { xid, callId, seq };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
