import type { Outcomes, StatsRow } from '../polykeep/answers.ts';
import { CONCLUSIONS } from '../polykeep/answers.ts';

/** Calls by what became of them. */
export interface Sum {
  calls: number;
  success: number;
  failure: number;
  concluded: number;
  followed: number;
  /** Of those that PolyAI ended; null where there is none. */
  successRate: number | null;
}

export function sumOf(rows: readonly Pick<StatsRow, 'calls' | 'outcomes'>[]): Sum {
  const total = (count: (outcomes: Outcomes) => number) =>
    rows.reduce((sum, { outcomes }) => sum + count(outcomes), 0);
  const success = total((outcomes) => outcomes.success);
  const failure = total((outcomes) => outcomes.failure);
  return {
    calls: rows.reduce((sum, { calls }) => sum + calls, 0),
    success,
    failure,
    concluded: total((outcomes) => CONCLUSIONS.reduce((sum, conclusion) => sum + outcomes[conclusion], 0)),
    followed: total((outcomes) => outcomes.none),
    successRate: success + failure === 0 ? null : success / (success + failure),
  };
}

/** The largest group first; the calls without that key are the group null. */
export function groupSums(rows: readonly StatsRow[]): { group: string | null; sum: Sum }[] {
  const groups = new Map<string | null, StatsRow[]>();
  for (const row of rows) groups.set(row.group, [...(groups.get(row.group) ?? []), row]);
  return [...groups]
    .map(([group, ofGroup]) => ({ group, sum: sumOf(ofGroup) }))
    .sort((a, b) => b.sum.calls - a.sum.calls);
}

export function split(rows: readonly StatsRow[], from: Date): { now: StatsRow[]; before: StatsRow[] } {
  const isNow = ({ bucket }: StatsRow) => Date.parse(bucket) >= from.getTime();
  return { now: rows.filter(isNow), before: rows.filter((row) => !isNow(row)) };
}
