import { Sketch } from '../call/sketch.ts';

/** What calls count for together, as SQL gives it (`contributions.ts`): `bigint` as text, durations with commas between. */
export interface ContributionRow {
  bucket: number;
  account: number;
  /** 0: still followed. */
  outcome: number;
  key: number;
  value: string | null;
  calls: number;
  settle_ms: string;
  polls: string;
  failed_polls: string;
  queued: string | null;
  calling: string | null;
}

/** The sums of one group: what a row of rollups has. */
export interface RollupSum {
  calls: number;
  settleMs: number;
  polls: number;
  failedPolls: number;
  queued: Sketch;
  calling: Sketch;
}

export function emptySum(): RollupSum {
  return { calls: 0, settleMs: 0, polls: 0, failedPolls: 0, queued: new Sketch(), calling: new Sketch() };
}

/** Adds the row to the sum, or with `sign` -1 takes it out. */
export function addRow(sum: RollupSum, row: ContributionRow, sign = 1): void {
  addNumbers(sum, row, sign);
  addDurations(sum.queued, row.queued, sign);
  addDurations(sum.calling, row.calling, sign);
}

/** What a row has beside its durations. */
export function addNumbers(
  sum: RollupSum,
  row: Pick<ContributionRow, 'calls' | 'settle_ms' | 'polls' | 'failed_polls'>,
  sign: number,
): void {
  sum.calls += sign * row.calls;
  sum.settleMs += sign * Number(row.settle_ms);
  sum.polls += sign * Number(row.polls);
  sum.failedPolls += sign * Number(row.failed_polls);
}

/** As `addRow`. */
export function addSum(sum: RollupSum, other: RollupSum, sign = 1): void {
  sum.calls += sign * other.calls;
  sum.settleMs += sign * other.settleMs;
  sum.polls += sign * other.polls;
  sum.failedPolls += sign * other.failedPolls;
  sum.queued.merge(other.queued, sign);
  sum.calling.merge(other.calling, sign);
}

/** Whether nothing is left of it. */
export function isZero({ calls, settleMs, polls, failedPolls, queued, calling }: RollupSum): boolean {
  return [calls, settleMs, polls, failedPolls].every((sum) => sum === 0) && queued.isEmpty && calling.isEmpty;
}

/** Adds the durations to the sketch, or with `sign` -1 takes them out. */
export function addDurations(sketch: Sketch, durations: string | null, sign: number): void {
  if (durations === null) return;
  for (const ms of durations.split(',')) sketch.add(Number(ms), sign);
}
