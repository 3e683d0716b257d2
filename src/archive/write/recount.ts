import type { ClientBase } from 'pg';
import { ALL_CALLS, contributionsOf } from '../contributions.ts';
import { DAY, dayOfQuarter, QUARTER, QUARTER_MS, QUARTERS_A_DAY } from '../quarters.ts';
import { addRow, addSum, type ContributionRow, isZero } from '../rollup-sum.ts';
import {
  addSums,
  createRollupSums,
  mergeRow,
  ROLLUPS_LOCK,
  type RollupGroup,
  type RollupRow,
  type RollupSums,
} from './rollups.ts';

/** A row of rollups that was not what the calls say. */
export interface Difference {
  unit: 'quarter' | 'day';
  /** The beginning of the quarter, or of the day in UTC. */
  at: Date;
  account: string | null;
  /** null: still followed. */
  outcome: string | null;
  /** The metadata key that it is apart by; null for all calls. */
  key: string | null;
  value: string | null;
  /** How many calls were missing in the row, or too many where below 0; 0 where only polls or seconds differed. */
  missingCalls: number;
}

/** The keys that have been filled, and 0: those that are being filled have not all calls yet. */
const KEYS = `select 0 union all select id from polykeep_internal.stats_keys where filled_up_to >= high_mark`;

const DAYS = `
select least(floor(date_part('epoch', min(c.first)) / 900)::int, min(r.bucket)) as first,
       greatest(floor(date_part('epoch', max(c.last)) / 900)::int, max(r.bucket)) as last
  from (select min(registered_at) as first, max(registered_at) as last from polykeep_internal.calls) c,
       (select bucket from polykeep_internal.rollups
         union all
        select bucket from polykeep_internal.rollup_changes
         union all
        select null) r`;

const COUNTED = contributionsOf({
  keys: `${ALL_CALLS}
         union all
         select s.id, (c.metadata ->> s.name) collate "C"
           from polykeep_internal.stats_keys s where s.filled_up_to >= s.high_mark`,
  condition: 'c.registered_at >= $1 and c.registered_at < $2',
});

/** What the rollups have not yet of the calls that are there: they are no difference. */
const CHANGES = `
select * from polykeep_internal.rollup_changes
 where not is_retired and bucket >= $1 and bucket < $2 and key in (${KEYS})`;

const ROLLUPS = `
select * from polykeep_internal.rollups
 where level in (0, 1, 2) and bucket >= $1 and bucket < $2 and key in (${KEYS})`;

const NAMES = `
select 'account' as kind, id, name from polykeep_internal.accounts
union all
select 'outcome', id, name from polykeep_internal.outcomes
union all
select 'key', id, name from polykeep_internal.stats_keys`;

/**
 * Counts all calls anew, a day at a time, and puts right what the rollups have otherwise; tells of each difference.
 * Beside live writers: each day is one moment, in which what is counted and what is not yet folded belong together. What
 * rollups have of calls that retention has deleted is taken as it is. On a connection of its own. Rejects with what
 * Postgres says; the days before are then right.
 */
export async function recount(client: ClientBase, tell: (difference: Difference) => void): Promise<void> {
  const { rows } = await client.query<{ first: number | null; last: number | null }>(DAYS);
  const [{ first, last } = { first: null, last: null }] = rows;
  if (first === null || last === null) return;
  for (let day = dayOfQuarter(first); day <= last; day += QUARTERS_A_DAY) {
    for (const difference of await whileNobodyFolds(client, () => recountDay(client, day))) tell(difference);
  }
}

/** The lock is taken before the transaction begins: its moment then comes after the last fold. */
async function whileNobodyFolds<Result>(client: ClientBase, work: () => Promise<Result>): Promise<Result> {
  await client.query('select pg_advisory_lock($1)', [ROLLUPS_LOCK]);
  try {
    await client.query('begin isolation level repeatable read');
    const result = await work();
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    await client.query('select pg_advisory_unlock($1)', [ROLLUPS_LOCK]);
  }
}

async function recountDay(client: ClientBase, day: number): Promise<Difference[]> {
  const missing = await missingOf(client, day);
  await addSums(client, missing);
  const differing = [...missing.entries()].filter(([, sum]) => !isZero(sum));
  if (differing.length === 0) return [];
  const nameOf = await namesIn(client);
  return differing.map(([{ level, bucket, account, outcome, key, value }, { calls }]) => ({
    unit: level === DAY ? 'day' : 'quarter',
    at: new Date(bucket * QUARTER_MS),
    account: nameOf('account', account),
    outcome: nameOf('outcome', outcome),
    key: nameOf('key', key),
    value,
    missingCalls: calls,
  }));
}

/** What is to be added to the day's rollups: a day is the sum of its quarters. */
async function missingOf(client: ClientBase, day: number): Promise<RollupSums> {
  const missing = createRollupSums();
  const quarters = [day, day + QUARTERS_A_DAY];
  const times = quarters.map((quarter) => new Date(quarter * QUARTER_MS));
  const counted = await client.query<ContributionRow>(COUNTED, times);
  for (const row of counted.rows) addRow(missing.of({ ...row, level: QUARTER }), row);
  const changes = await client.query<ContributionRow & { sign: number }>(CHANGES, quarters);
  for (const row of changes.rows) addRow(missing.of({ ...row, level: QUARTER }), row, -row.sign);
  const rollups = await client.query<RollupRow>(ROLLUPS, quarters);
  for (const row of rollups.rows.filter(({ level }) => level === QUARTER)) mergeRow(missing.of(row), row, -1);
  for (const [group, sum] of [...missing.entries()]) addSum(missing.of(dayRow(group, day)), sum);
  for (const row of rollups.rows) mergeRow(missing.of(dayRow(row, day)), row, row.level === DAY ? -1 : 1);
  return missing;
}

function dayRow(group: RollupGroup, day: number): RollupGroup {
  return { ...group, level: DAY, bucket: day };
}

/** Null for the number of none. */
async function namesIn(client: ClientBase): Promise<(kind: string, id: number) => string | null> {
  const { rows } = await client.query<{ kind: string; id: number; name: string }>(NAMES);
  const names = new Map(rows.map(({ kind, id, name }) => [`${kind} ${id}`, name]));
  return (kind, id) => names.get(`${kind} ${id}`) ?? null;
}
