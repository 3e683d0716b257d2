import { type Spread, spreadOf } from '../quantile.ts';
import type { Measured } from './measure.ts';

/** Of the rounds' ratios. */
export function ratio(
  rounds: readonly Record<string, Measured>[],
  [one, other]: readonly [string, string],
  read: (measured: Measured) => number,
): Spread {
  return spreadOf(
    rounds.map((round) => {
      const [above, below] = [round[one], round[other]];
      return above && below ? read(above) / read(below) : Number.NaN;
    }),
  );
}
