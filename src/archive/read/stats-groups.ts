import { Sketch } from '../../call/sketch.ts';
import { TooManyRowsError } from '../errors.ts';
import { addDurations, type ContributionRow } from '../rollup-sum.ts';
import { outcomeCounts, type Percentiles, type StatsRow, type StatsTask } from './stats-question.ts';

/** What rows of any kind have. */
interface GroupedRow {
  account: number;
  /** By its code: 0 is none. */
  outcome: number;
  value: string | null;
  calls: number;
}

/** The rows of an answer, while they are summed up. */
export interface StatsGroups {
  /** Adds a row of rollups to a bucket, or takes it out of it. */
  addRollup(
    bucket: number,
    row: GroupedRow & Record<'queued' | 'calling', Uint8Array | null>,
    sign: 1 | -1,
  ): void;
  /** The same, of calls that are not in rollups yet. Throws `TooManyRowsError` as soon as it is sure. */
  addCalls(bucket: number, row: GroupedRow & Pick<ContributionRow, 'queued' | 'calling'>, sign: number): void;
  /** By bucket, then group, those without a group last. */
  rows(): StatsRow[];
}

interface Group {
  bucket: number;
  name: string | null;
  /** Calls by the code of their outcome. */
  counts: number[];
  queued: Sketch;
  calling: Sketch;
}

/** Buckets take rows out as well as in: that there are too many groups is not sure before there are far more of them. */
const GROUPS_PER_ROW = 4;

export function createStatsGroups({
  task: { starts, groupBy, maxRows },
  accounts,
}: {
  task: StatsTask;
  accounts: ReadonlyMap<number, string>;
}): StatsGroups {
  const groups = new Map<string, Group>();

  function groupOf(bucket: number, { account, value }: GroupedRow): Group {
    const name = groupBy === null ? null : 'account' in groupBy ? (accounts.get(account) ?? null) : value;
    const id = name === null ? String(bucket) : `${bucket} ${name}`;
    let group = groups.get(id);
    if (group === undefined) {
      group = { bucket, name, counts: [], queued: new Sketch(), calling: new Sketch() };
      groups.set(id, group);
      if (groups.size > GROUPS_PER_ROW * (maxRows + 1))
        throw new TooManyRowsError(`more than ${maxRows} rows`);
    }
    return group;
  }

  function count(group: Group, { outcome, calls }: GroupedRow, sign: number): void {
    while (group.counts.length <= outcome) group.counts.push(0);
    group.counts[outcome] = (group.counts[outcome] ?? 0) + sign * calls;
  }

  return {
    addRollup(bucket, row, sign) {
      const group = groupOf(bucket, row);
      count(group, row, sign);
      if (row.queued !== null) group.queued.mergeBytes(row.queued, sign);
      if (row.calling !== null) group.calling.mergeBytes(row.calling, sign);
    },
    addCalls(bucket, row, sign) {
      const group = groupOf(bucket, row);
      count(group, row, sign);
      addDurations(group.queued, row.queued, sign);
      addDurations(group.calling, row.calling, sign);
    },
    rows() {
      return [...groups.values()]
        .filter(({ counts }) => counts.some((calls) => calls !== 0))
        .toSorted((a, b) => a.bucket - b.bucket || compareNames(a.name, b.name))
        .map(({ bucket, name, counts, queued, calling }) => ({
          bucket: new Date(starts[bucket] ?? 0),
          group: name,
          ...outcomeCounts(counts),
          queued: percentiles(queued),
          calling: percentiles(calling),
        }));
    },
  };
}

/** Byte by byte, as Postgres sorts `collate "C"`. */
function compareNames(a: string | null, b: string | null): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** In seconds. */
function percentiles(sketch: Sketch): Percentiles | null {
  const [p50, p90, p99] = [0.5, 0.9, 0.99].map((fraction) => sketch.quantile(fraction));
  if (p50 == null || p90 == null || p99 == null) return null;
  return { p50: p50 / 1000, p90: p90 / 1000, p99: p99 / 1000 };
}
