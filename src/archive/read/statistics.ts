import { and, type SQL, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import type { Pool } from 'pg';
import { OUTCOMES, type Outcome } from '../../call/call.ts';
import { answering } from '../database.ts';
import { StatsTooSlowError, TooManyRowsError, TooManyStatsError, UnknownTimeZoneError } from '../errors.ts';
import { USUAL_LIMITS } from '../session.ts';
import { sqlState } from '../sql-states.ts';
import { inTransaction } from '../transaction.ts';
import { type CallFilter, conditions } from './call-filter.ts';

export interface StatsQuestion {
  /** `registeredFrom` and `registeredTo` bound the work. */
  filter: CallFilter & { registeredFrom: Date; registeredTo: Date };
  bucket: 'hour' | 'day';
  /** IANA name: where days begin. */
  timeZone: string;
  groupBy: { account: true } | { metadata: string } | null;
}

interface Percentiles {
  p50: number;
  p90: number;
  p99: number;
}

/** The calls that were registered in one bucket, of one group. */
export interface StatsRow {
  /** Start of the bucket. */
  bucket: Date;
  /** Null without `groupBy`, and for calls without that key. */
  group: string | null;
  calls: number;
  /** `none`: still followed. */
  outcomes: Record<Outcome | 'none', number>;
  /** Seconds of each finished stay in a status; null without any. */
  queued: Percentiles | null;
  calling: Percentiles | null;
}

export interface ArchiveStats {
  /**
   * By bucket, then group, calls without a group last. Throws `TooManyStatsError`, `StatsTooSlowError`, `TooManyRowsError`,
   * `UnknownTimeZoneError`, and `ArchiveUnavailableError` where Postgres is away.
   */
  read(question: StatsQuestion): Promise<StatsRow[]>;
}

export const MAX_STATS_ROWS = 10_000;
const STATEMENT_TIMEOUT_MS = USUAL_LIMITS.statementMs;

/**
 * A merge join would read the transitions in the order of callSid, each from another page: of a million calls that
 * takes twice as long as reading them all.
 */
const PLANNING = `set local enable_mergejoin = off; set local work_mem = '32MB'`;

/**
 * No transition is seen before its call is registered, but for how far a worker's clock is behind Postgres': those of
 * earlier calls are left out before they are joined, which takes most of the time where the archive is long.
 */
const CLOCKS_APART = '1 day';

/** The pool is one for this alone: its size bounds how much of Postgres statistics can take from the followers. */
export function createStats(
  pool: Pool,
  { timeoutMs = STATEMENT_TIMEOUT_MS, maxRows = MAX_STATS_ROWS } = {},
): ArchiveStats {
  let running = 0;

  return {
    async read(question) {
      if (running >= pool.options.max)
        throw new TooManyStatsError(`${running} statistics are being made already`);
      running++;
      const rows = await run(pool, statsStatement(question, maxRows + 1), timeoutMs).finally(() => running--);
      if (rows.length > maxRows) throw new TooManyRowsError(`more than ${maxRows} rows`);
      return rows.map(rowOf);
    },
  };
}

interface StatsRecord extends Record<string, unknown> {
  bucket_ms: number;
  group: string | null;
  calls: number;
  outcomes: number[];
  queued: number[] | null;
  calling: number[] | null;
}

async function run(pool: Pool, statement: SQL, timeoutMs: number): Promise<StatsRecord[]> {
  const begin = `begin read only; set local statement_timeout = ${timeoutMs}; ${PLANNING}`;
  try {
    const answer = inTransaction(pool, begin, (client) => drizzle(client).execute<StatsRecord>(statement));
    return (await answering(answer)).rows;
  } catch (error) {
    const state = sqlState(error);
    if (state === '57014') throw new StatsTooSlowError(`not done within ${timeoutMs} ms`, { cause: error });
    if (state === '22023') throw new UnknownTimeZoneError('no such time zone', { cause: error });
    throw error;
  }
}

/**
 * A stay in a status lasts from its transition to the next one: by PolyAI's clock where both have its time, else by
 * the polls that saw them. Calls and stays go through one aggregate, so that no group need be found again; `nth` sorts
 * faster than `call_sid`.
 */
function statsStatement({ filter, bucket, timeZone, groupBy }: StatsQuestion, limit: number): SQL {
  return sql`
with chosen as materialized (
  select call_sid, row_number() over () as nth, coalesce(outcome, 'none') as outcome, ${groupOf(groupBy)} as "group",
         date_trunc(${bucket}, registered_at, ${timeZone}) as bucket
    from calls
   where ${and(...conditions(filter))}
), moves as (
  select c.bucket, c."group", t.status, t.last_updated, t.observed_at,
         lead(t.last_updated) over each_call as next_last_updated,
         lead(t.observed_at) over each_call as next_observed_at
    from chosen c join transitions t on t.call_sid = c.call_sid
   where t.observed_at >= ${filter.registeredFrom.toISOString()}::timestamptz - ${CLOCKS_APART}::interval
  window each_call as (partition by c.nth order by t.seq)
), facts as (
  select bucket, "group", outcome, null as status, null::float8 as seconds
    from chosen
   union all
  select bucket, "group", null, status,
         greatest(0, date_part('epoch', coalesce(next_last_updated - last_updated, next_observed_at - observed_at)))
    from moves
   where status in ('queued', 'calling') and next_observed_at is not null
)
select (extract(epoch from bucket) * 1000)::float8 as bucket_ms, "group",
       count(outcome)::int as calls,
       array[${counts()}]::int[] as outcomes,
       percentile_cont(array[0.5, 0.9, 0.99]) within group (order by seconds)
         filter (where status = 'queued') as queued,
       percentile_cont(array[0.5, 0.9, 0.99]) within group (order by seconds)
         filter (where status = 'calling') as calling
  from facts
 group by bucket, "group"
 order by bucket, "group" collate "C" nulls last
 limit ${limit}`;
}

function groupOf(groupBy: StatsQuestion['groupBy']): SQL {
  if (groupBy === null) return sql`null::text`;
  return 'account' in groupBy ? sql`account` : sql`metadata ->> ${groupBy.metadata}::text`;
}

const COUNTED = [...OUTCOMES, 'none'] as const;

function counts(): SQL {
  return sql.raw(COUNTED.map((outcome) => `count(*) filter (where outcome = '${outcome}')`).join(', '));
}

function rowOf({ bucket_ms, group, calls, outcomes, queued, calling }: StatsRecord): StatsRow {
  const of = (outcome: Outcome | 'none') => outcomes[COUNTED.indexOf(outcome)] ?? 0;
  return {
    bucket: new Date(bucket_ms),
    group,
    calls,
    outcomes: {
      success: of('success'),
      failure: of('failure'),
      not_found: of('not_found'),
      lost: of('lost'),
      rejected: of('rejected'),
      abandoned: of('abandoned'),
      none: of('none'),
    },
    queued: percentiles(queued),
    calling: percentiles(calling),
  };
}

function percentiles(values: number[] | null): Percentiles | null {
  const [p50, p90, p99] = values ?? [];
  return p50 === undefined || p90 === undefined || p99 === undefined ? null : { p50, p90, p99 };
}
