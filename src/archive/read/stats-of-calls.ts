import { type SQL, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import type { PoolClient } from 'pg';
import { OUTCOME_CODES, OUTCOMES } from '../../call/call.ts';
import { fits, timestamp } from './call-filter.ts';
import {
  outcomeCounts,
  type Percentiles,
  type Stats,
  type StatsRow,
  type StatsTask,
} from './stats-question.ts';

/**
 * A merge join would read the transitions in the order of their calls, each from another page: of a million calls that
 * takes twice as long as reading them all.
 */
const PLANNING = `set local enable_mergejoin = off; set local work_mem = '32MB'`;

/**
 * No transition is seen before its call is registered, but for how far a worker's clock is behind Postgres': those of
 * earlier calls are left out before they are joined, which takes most of the time where the archive is long.
 */
const CLOCKS_APART = '1 day';

interface StatsRecord extends Record<string, unknown> {
  bucket: number;
  group: string | null;
  outcomes: number[];
  queued: number[] | null;
  calling: number[] | null;
}

/** Statistics from the calls themselves: any question is answered, in a time that grows with the number of calls. */
export async function statsOfCalls(client: PoolClient, task: StatsTask): Promise<Stats> {
  await client.query(PLANNING);
  const { rows } = await drizzle(client).execute<StatsRecord>(statement(task));
  return { rows: rows.map((row) => rowOf(row, task.starts)), percentiles: 'exact' };
}

const STAYS = sql`
   union all
  select bucket, "group", null, status,
         greatest(0, date_part('epoch', coalesce(next_last_updated - last_updated, next_observed_at - observed_at)))
    from moves
   where status in ('queued', 'calling') and next_observed_at is not null`;

/** By the same rule as the view `contributions`; calls and stays go through one aggregate. */
function statement({ filter, starts, groupBy, withSeconds, maxRows }: StatsTask): SQL {
  return sql`
with chosen as materialized (
  select c.id, coalesce(c.outcome, 0) as outcome, ${groupOf(groupBy)} as "group",
         width_bucket(c.registered_at, ${timesText(starts)}::timestamptz[]) as bucket
    from polykeep_internal.calls c left join polykeep_internal.accounts a on a.id = c.account
   where ${fits(filter)}
), moves as (
  select c.bucket, c."group", s.name as status, t.last_updated, t.observed_at,
         lead(t.last_updated) over each_call as next_last_updated,
         lead(t.observed_at) over each_call as next_observed_at
    from chosen c
    join polykeep_internal.transitions t on t.call_id = c.id
    left join polykeep_internal.statuses s on s.id = t.status
   where c.outcome <> 0
     and t.observed_at >= ${timestamp(filter.registeredFrom)} - ${CLOCKS_APART}::interval
  window each_call as (partition by c.id order by t.seq)
), facts as (
  select bucket, "group", outcome, null as status, null::float8 as seconds
    from chosen
  ${withSeconds ? STAYS : sql.empty()}
)
select bucket, "group", array[${counts()}]::int[] as outcomes,
       percentile_cont(array[0.5, 0.9, 0.99]) within group (order by seconds)
         filter (where status = 'queued') as queued,
       percentile_cont(array[0.5, 0.9, 0.99]) within group (order by seconds)
         filter (where status = 'calling') as calling
  from facts
 group by bucket, "group"
 order by bucket, "group" collate "C" nulls last
 limit ${maxRows + 1}`;
}

function groupOf(groupBy: StatsTask['groupBy']): SQL {
  if (groupBy === null) return sql`null::text`;
  if ('reason' in groupBy) return sql`c.reason`;
  return 'account' in groupBy ? sql`a.name` : sql`c.metadata ->> ${groupBy.metadata}::text`;
}

function timesText(times: readonly number[]): string {
  return `{${times.map((time) => new Date(time).toISOString()).join(',')}}`;
}

/** By the code of the outcome: 0 is none. */
function counts(): SQL {
  const codes = [0, ...OUTCOMES.map((outcome) => OUTCOME_CODES[outcome])];
  return sql.raw(codes.map((code) => `count(*) filter (where outcome = ${code})`).join(', '));
}

function rowOf(
  { bucket, group, outcomes, queued, calling }: StatsRecord,
  starts: readonly number[],
): StatsRow {
  return {
    bucket: new Date(starts[bucket - 1] ?? 0),
    group,
    ...outcomeCounts(outcomes),
    queued: percentiles(queued),
    calling: percentiles(calling),
  };
}

function percentiles(values: number[] | null): Percentiles | null {
  const [p50, p90, p99] = values ?? [];
  return p50 === undefined || p90 === undefined || p99 === undefined ? null : { p50, p90, p99 };
}
