import type { RollupTexts } from '../support/rollup-count.ts';
import { callsByDay } from '../support/rollup-count.ts';
import type { Evidence } from './evidence.ts';
import type { Violation } from './violation.ts';

/** Statistics are those of all rows, whatever went wrong. */
export function checkStatistics({ statistics: { counted, kept } }: Evidence): Violation[] {
  const days = Object.fromEntries(
    Object.entries(kept.days).map(([group, text]) => [group, `${Number.parseInt(text, 10)} calls`]),
  );
  const sums = Object.fromEntries(
    Object.entries(callsByDay([kept.quarters, kept.retired])).map(([group, calls]) => [
      group,
      `${calls} calls`,
    ]),
  );
  return [...differences('quarter', kept.quarters, counted), ...differences('day', days, sums)];
}

function differences(unit: string, kept: RollupTexts, right: RollupTexts): Violation[] {
  const groups = new Set([...Object.keys(kept), ...Object.keys(right)]);
  return [...groups]
    .filter((group) => kept[group] !== right[group])
    .map((group) => ({
      kind: 'miscounted',
      callSid: null,
      detail: `${unit} ${group}: ${kept[group] ?? 'nothing'} instead of ${right[group] ?? 'nothing'}`,
    }));
}
