import type { ClientBase, Pool } from 'pg';
import { withClient } from '../../src/archive/postgres-client.ts';
import { recount } from '../../src/archive/write/recount.ts';
import type { OUTCOME_CODES } from '../../src/call/call.ts';
import { Sketch } from '../../src/call/sketch.ts';

/** Makes the rollups of calls that were inserted by SQL. */
export const makeRollups = (url: string) =>
  withClient(url, 'polykeep test', (client) => recount(client, () => {}));

/** A call as it counts, read from the views that people have. */
interface CountedCall {
  account: string;
  outcome: keyof typeof OUTCOME_CODES | null;
  metadata: Record<string, string>;
  registeredAt: Date;
  settledAt: Date | null;
  polls: number;
  failedPolls: number;
  transitions: { status: string; observedAt: string; lastUpdated: string | null }[];
}

/** What rollups have of one group, as text: so two archives of them can be compared. */
export type RollupTexts = Record<string, string>;

interface Sum {
  calls: number;
  settleMs: number;
  polls: number;
  failedPolls: number;
  queued: Sketch;
  calling: Sketch;
}

type SumOf = (group: string) => Sum;

const CALLS = `
select account, outcome, metadata, registered_at as "registeredAt", settled_at as "settledAt", polls,
       failed_polls as "failedPolls",
       (select coalesce(json_agg(json_build_object('status', t.status, 'observedAt', t.observed_at,
                                                   'lastUpdated', t.last_updated) order by t.seq), '[]')
          from polykeep.transitions t where t.call_sid = c.call_sid) as transitions
  from polykeep.calls c`;

/** Sums up all calls that are there, by a plain rule of its own, by quarter and by each of the keys. */
export async function countCalls(
  client: ClientBase | Pool,
  keys: readonly string[] = [],
): Promise<RollupTexts> {
  const { rows } = await client.query<CountedCall>(CALLS);
  const { of, texts } = createSums();
  for (const call of rows) {
    for (const key of [null, ...keys]) addCall(of(groupOf(call, key)), call);
  }
  return texts();
}

function groupOf({ registeredAt, account, outcome, metadata }: CountedCall, key: string | null): string {
  const quarter = Math.floor(registeredAt.getTime() / 900_000);
  const value = key === null ? null : (metadata[key] ?? null);
  return JSON.stringify([quarter, account, outcome, key, value]);
}

function addCall(sum: Sum, call: CountedCall): void {
  sum.calls++;
  if (call.settledAt === null) return;
  sum.settleMs += call.settledAt.getTime() - call.registeredAt.getTime();
  sum.polls += call.polls;
  sum.failedPolls += call.failedPolls;
  for (const [index, { status, observedAt, lastUpdated }] of call.transitions.entries()) {
    const next = call.transitions[index + 1];
    if (next === undefined || (status !== 'queued' && status !== 'calling')) continue;
    const both = lastUpdated !== null && next.lastUpdated !== null;
    const [from, to] = both ? [lastUpdated, next.lastUpdated ?? ''] : [observedAt, next.observedAt];
    sum[status].add(Math.max(0, Date.parse(to) - Date.parse(from)));
  }
}

interface RollupRow {
  unit: 'quarter' | 'day';
  isRetired: boolean;
  group: string;
  calls: number;
  settleMs: number;
  polls: number;
  failedPolls: number;
  sign: number;
  queued: Buffer | null;
  calling: Buffer | null;
  queuedMs: string | null;
  callingMs: string | null;
}

const groupText = (table: string, bucket: string) => `
jsonb_build_array(${bucket}, (select name from polykeep_internal.accounts a where a.id = ${table}.account),
                  (select name from polykeep_internal.outcomes o where o.id = ${table}.outcome),
                  (select name from polykeep_internal.stats_keys k where k.id = ${table}.key), ${table}.value)`;

const ROLLUPS = `
select case when r.level = 2 then 'day' else 'quarter' end as unit, r.level = 1 as "isRetired",
       ${groupText('r', 'r.bucket')}::text as "group", r.calls, r.settle_ms::float8 as "settleMs", r.polls::float8 as polls,
       r.failed_polls::float8 as "failedPolls", 1 as sign, r.queued, r.calling, null as "queuedMs", null as "callingMs"
  from polykeep_internal.rollups r
union all
select unit, r.is_retired and unit = 'quarter',
       ${groupText('r', "case unit when 'day' then r.bucket - r.bucket % 96 else r.bucket end")}::text, r.calls,
       r.settle_ms::float8, r.polls::float8, r.failed_polls::float8, r.sign, null, null, r.queued, r.calling
  from polykeep_internal.rollup_changes r, (values ('quarter'), ('day')) as units (unit)`;

export interface ReadRollups {
  /** Of calls that are there. */
  quarters: RollupTexts;
  retired: RollupTexts;
  days: RollupTexts;
}

/** The rollups with the changes that are not folded into them. */
export async function readRollups(client: ClientBase | Pool): Promise<ReadRollups> {
  const { rows } = await client.query<RollupRow>(ROLLUPS);
  const [quarters, retired, days] = [createSums(), createSums(), createSums()];
  for (const row of rows) {
    const { of } = row.unit === 'day' ? days : row.isRetired ? retired : quarters;
    addRow(of(JSON.stringify(JSON.parse(row.group))), row);
  }
  return { quarters: quarters.texts(), retired: retired.texts(), days: days.texts() };
}

function addRow(sum: Sum, { sign, ...row }: RollupRow): void {
  sum.calls += sign * row.calls;
  sum.settleMs += sign * row.settleMs;
  sum.polls += sign * row.polls;
  sum.failedPolls += sign * row.failedPolls;
  for (const status of ['queued', 'calling'] as const) {
    const bytes = row[status];
    if (bytes !== null) sum[status].mergeBytes(bytes, sign);
    const durations = row[`${status}Ms`];
    for (const ms of durations?.split(',') ?? []) sum[status].add(Number(ms), sign);
  }
}

function createSums(): { of: SumOf; texts: () => RollupTexts } {
  const sums = new Map<string, Sum>();
  return {
    of(group) {
      let sum = sums.get(group);
      if (sum === undefined) {
        const queued = new Sketch();
        sum = { calls: 0, settleMs: 0, polls: 0, failedPolls: 0, queued, calling: new Sketch() };
        sums.set(group, sum);
      }
      return sum;
    },
    texts: () =>
      Object.fromEntries(
        [...sums]
          .map(textOf)
          .filter(([, text]) => text !== EMPTY)
          .toSorted(),
      ),
  };
}

const EMPTY = '0 calls, 0 ms, 0 polls, 0 failed, queued , calling ';

function textOf([group, sum]: [string, Sum]): [string, string] {
  const hex = (sketch: Sketch) => Buffer.from(sketch.toBytes()).toString('hex');
  return [
    group,
    `${sum.calls} calls, ${sum.settleMs} ms, ${sum.polls} polls, ${sum.failedPolls} failed, ` +
      `queued ${hex(sum.queued)}, calling ${hex(sum.calling)}`,
  ];
}

/** The days that quarters sum up to can be told by their counts alone. */
export function callsByDay(quarters: readonly RollupTexts[]): Record<string, number> {
  const days: Record<string, number> = {};
  for (const [group, text] of quarters.flatMap((texts) => Object.entries(texts))) {
    const [quarter, ...rest]: [number, ...unknown[]] = JSON.parse(group);
    const day = JSON.stringify([quarter - (quarter % 96), ...rest]);
    days[day] = (days[day] ?? 0) + Number.parseInt(text, 10);
  }
  return days;
}
