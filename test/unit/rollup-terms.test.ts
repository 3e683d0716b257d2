import fc from 'fast-check';
import { expect, it } from 'vitest';
import { dayOfQuarter } from '../../src/archive/quarters.ts';
import { rollupTerms } from '../../src/archive/read/rollup-terms.ts';

const cuts = fc
  .uniqueArray(fc.integer({ min: 0, max: 1_000 }), { minLength: 2, maxLength: 12 })
  .map((cuts) => cuts.toSorted((a, b) => a - b));

it('sum up each quarter once, in the bucket that it is in, and nothing else', () => {
  fc.assert(
    fc.property(cuts, (cuts) => {
      const { quarters, days } = rollupTerms(cuts);
      for (let quarter = 0; quarter < 1_100; quarter++) {
        const terms = [...(quarters.get(quarter) ?? []), ...(days.get(dayOfQuarter(quarter)) ?? [])];
        for (const index of cuts.slice(1).keys()) {
          const [from = 0, to = 0] = [cuts[index], cuts[index + 1]];
          const times = terms.filter((term) => term.index === index).reduce((sum, { sign }) => sum + sign, 0);
          expect(times).toBe(quarter >= from && quarter < to ? 1 : 0);
        }
      }
    }),
  );
});

it('of days that begin an hour before those of UTC, read the day and the eight quarters before and in it', () => {
  const cuts = Array.from({ length: 31 }, (_, day) => 96 * (day + 1) - 4);
  const { quarters, days } = rollupTerms(cuts);
  expect([quarters.size, days.size]).toEqual([31 * 4, 30]);
});
