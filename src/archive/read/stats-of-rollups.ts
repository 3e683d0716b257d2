import type { PoolClient } from 'pg';
import { ALL_CALLS, contributionsOf } from '../contributions.ts';
import { StatsTooSlowError } from '../errors.ts';
import { DAY, QUARTER, QUARTER_MS, RETIRED_QUARTER } from '../quarters.ts';
import type { ContributionRow } from '../rollup-sum.ts';
import { rollupTerms, type Term } from './rollup-terms.ts';
import { createStatsGroups, type StatsGroups } from './stats-groups.ts';
import type { Stats, StatsTask } from './stats-question.ts';

/** Rows of rollups that are read at a time: between two of them other requests have their turn. */
const READ_AT_ONCE = 2_000;

/** What of rollups a question is about. */
interface Selection {
  /** 0: all calls. */
  key: number;
  /** Of the key; undefined: any. */
  value: string | undefined;
  /** The number of an account; undefined: any. */
  account: number | undefined;
}

/** The time of a question, in quarters since 1970: its whole ones, and the buckets that lie between the `cuts`. */
interface Span {
  cuts: readonly number[];
  /** The bucket that the first cut is in. */
  offset: number;
}

/**
 * Statistics from the rollups, the changes that are not yet folded into them, and, at the edges, the calls of a part of a
 * quarter. Null where rollups do not have what is asked for: then the calls have to be asked.
 */
export async function statsOfRollups(client: PoolClient, task: StatsTask): Promise<Stats | null> {
  const span = spanOf(task);
  if (span === null) return null;
  const selection = await selectionOf(client, task);
  if (selection === null) return null;
  const accounts = await accountNames(client);
  const groups = createStatsGroups({ task, accounts });
  if (selection !== 'nothing') {
    await readRollups(client, { task, span, selection, groups });
    await readChanges(client, { task, span, selection, groups });
    await readEdges(client, { task, span, selection, groups });
  }
  return { rows: groups.rows(), percentiles: 'within 1 %' };
}

interface Reading {
  task: StatsTask;
  span: Span;
  selection: Selection;
  groups: StatsGroups;
}

/** Null where there is no whole quarter, or a bucket begins within one, as none has for many years. */
function spanOf({ filter, starts }: StatsTask): Span | null {
  const first = Math.ceil(filter.registeredFrom.getTime() / QUARTER_MS);
  const end = Math.floor(filter.registeredTo.getTime() / QUARTER_MS);
  const inner = starts.map((start) => start / QUARTER_MS).filter((start) => start > first && start < end);
  if (first >= end || !inner.every(Number.isInteger)) return null;
  return { cuts: [first, ...inner, end], offset: bucketAt(starts, first * QUARTER_MS) };
}

/** The bucket that a time is in. */
function bucketAt(starts: readonly number[], time: number): number {
  let [low, high] = [0, starts.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) <= time) low = middle;
    else high = middle;
  }
  return low;
}

/** Null where the rollups are not apart by what is asked for, or not yet; `nothing` where no call can be meant. */
async function selectionOf(
  client: PoolClient,
  { filter, groupBy }: StatsTask,
): Promise<Selection | 'nothing' | null> {
  const { registeredFrom: _, registeredTo: __, account, metadata = {}, ...others } = filter;
  if (Object.values(others).some((part) => part !== undefined)) return null;
  // Their values are without number.
  if (groupBy !== null && 'reason' in groupBy) return null;
  const grouped = groupBy !== null && 'metadata' in groupBy ? [groupBy.metadata] : [];
  const [key, ...more] = new Set([...Object.keys(metadata), ...grouped]);
  if (more.length > 0) return null;
  const keyId = key === undefined ? 0 : await idOf(client, FILLED_KEY, key);
  if (keyId === null) return null;
  const accountId = account === undefined ? undefined : await idOf(client, ACCOUNT, account);
  if (accountId === null) return 'nothing';
  return { key: keyId, value: key === undefined ? undefined : metadata[key], account: accountId };
}

const FILLED_KEY =
  'select id from polykeep_internal.stats_keys where name = $1 and filled_up_to >= high_mark';
const ACCOUNT = 'select id from polykeep_internal.accounts where name = $1';

async function idOf(client: PoolClient, text: string, name: string): Promise<number | null> {
  const { rows } = await client.query<{ id: number }>(text, [name]);
  return rows[0]?.id ?? null;
}

async function accountNames(client: PoolClient): Promise<Map<number, string>> {
  const text = 'select id, name from polykeep_internal.accounts';
  const { rows } = await client.query<{ id: number; name: string }>(text);
  return new Map(rows.map(({ id, name }) => [id, name]));
}

/** On a row `r`; the parameters are `$1` to `$3`. */
const IS_SELECTED = `r.key = $1 and ($2::int is null or r.account = $2) and ($3::text is null or r.value = $3)`;

const ROLLUPS = `
declare rollups no scroll cursor for
select r.level, r.bucket, r.account, r.outcome, r.value, r.calls, r.queued, r.calling
  from polykeep_internal.rollups r
 where ${IS_SELECTED} and r.level = ${DAY} and r.bucket = any($4::int[])
union all
select r.level, r.bucket, r.account, r.outcome, r.value, r.calls, r.queued, r.calling
  from polykeep_internal.rollups r
 where ${IS_SELECTED} and r.level in (${QUARTER}, ${RETIRED_QUARTER}) and r.bucket = any($5::int[])`;

/** A row of rollups, as far as statistics need it. */
interface ReadRow {
  level: number;
  bucket: number;
  account: number;
  outcome: number;
  value: string | null;
  calls: number;
  queued: Buffer | null;
  calling: Buffer | null;
}

async function readRollups(client: PoolClient, { task, span, selection, groups }: Reading): Promise<void> {
  const { quarters, days } = rollupTerms(span.cuts);
  const values = [...valuesOf(selection), [...days.keys()], [...quarters.keys()]];
  await client.query(ROLLUPS, values);
  for (;;) {
    const { rows } = await client.query<ReadRow>(`fetch ${READ_AT_ONCE} from rollups`);
    for (const row of rows) {
      const terms: readonly Term[] = (row.level === DAY ? days : quarters).get(row.bucket) ?? [];
      for (const { index, sign } of terms) groups.addRollup(span.offset + index, row, sign);
    }
    if (rows.length < READ_AT_ONCE) break;
    if (performance.now() > task.deadline) throw new StatsTooSlowError('too many rows of rollups');
  }
  await client.query('close rollups');
}

const CHANGES = `
select r.bucket, r.account, r.outcome, r.key, r.value, r.calls, r.settle_ms, r.polls, r.failed_polls, r.queued, r.calling,
       r.sign
  from polykeep_internal.rollup_changes r
 where ${IS_SELECTED} and r.bucket >= $4 and r.bucket < $5`;

async function readChanges(client: PoolClient, { task, span, selection, groups }: Reading): Promise<void> {
  const values = [...valuesOf(selection), span.cuts[0], span.cuts.at(-1)];
  const { rows } = await client.query<ContributionRow & { sign: number }>(CHANGES, values);
  for (const row of rows) groups.addCalls(bucketAt(task.starts, row.bucket * QUARTER_MS), row, row.sign);
}

/** `$1` to `$3` as above, `$4` and `$5` the time. */
const ALL_BETWEEN = contributionsOf({
  keys: ALL_CALLS,
  condition: `$1::int = 0 and ($2::int is null or c.account = $2) and $3::text is null
   and c.registered_at >= $4 and c.registered_at < $5`,
});
const KEYED_BETWEEN = contributionsOf({
  keys: 'select s.id, (c.metadata ->> s.name) collate "C" from polykeep_internal.stats_keys s where s.id = $1',
  condition: `($2::int is null or c.account = $2) and ($3::text is null or k.value = $3)
   and c.registered_at >= $4 and c.registered_at < $5`,
});

/** The calls of the parts of quarters that the question begins and ends with. */
async function readEdges(client: PoolClient, { task, span, selection, groups }: Reading): Promise<void> {
  const { registeredFrom, registeredTo } = task.filter;
  const [first = 0] = span.cuts;
  const end = span.cuts.at(-1) ?? first;
  const edges = [
    [registeredFrom, new Date(first * QUARTER_MS)],
    [new Date(end * QUARTER_MS), registeredTo],
  ] as const;
  for (const [from, to] of edges) {
    if (from >= to) continue;
    const text = selection.key === 0 ? ALL_BETWEEN : KEYED_BETWEEN;
    const { rows } = await client.query<ContributionRow>(text, [...valuesOf(selection), from, to]);
    for (const row of rows) groups.addCalls(bucketAt(task.starts, from.getTime()), row, 1);
  }
}

function valuesOf({ key, account, value }: Selection): unknown[] {
  return [key, account ?? null, value ?? null];
}
