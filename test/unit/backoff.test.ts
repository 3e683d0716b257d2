import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { retryDelay } from '../../src/backoff.ts';

/** A positive first wait, and a longest one that is no shorter. */
const bounds = fc
  .tuple(fc.integer({ min: 1, max: 10_000 }), fc.integer({ min: 0, max: 100_000 }))
  .map(([firstMs, more]) => ({ firstMs, maxMs: firstMs + more }));
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
/** An outage may last for days. */
const failures = fc.integer({ min: 1, max: 1_000_000 });

describe('the wait before another try', () => {
  it('doubles with each failure up to the longest one', () => {
    const most = (failed: number) => retryDelay(failed, { firstMs: 100, maxMs: 2_000 }, () => 1);
    expect([1, 2, 3, 4, 5, 6, 7, 5_000].map(most)).toEqual([100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000]);
  });

  it('is at least half of its ceiling, and never more than the longest', () => {
    fc.assert(
      fc.property(failures, bounds, chance, (failed, range, share) => {
        const wait = retryDelay(failed, range, () => share);
        const ceiling = retryDelay(failed, range, () => 1);
        expect(wait).toBeGreaterThanOrEqual(ceiling / 2);
        expect(wait).toBeLessThanOrEqual(ceiling);
        expect(wait).toBeGreaterThanOrEqual(range.firstMs / 2);
        expect(wait).toBeLessThanOrEqual(range.maxMs);
      }),
    );
  });

  it('never gets shorter with more failures, by the same chance', () => {
    fc.assert(
      fc.property(fc.array(failures, { minLength: 2 }), bounds, chance, (several, range, share) => {
        const waits = several
          .toSorted((a, b) => a - b)
          .map((failed) => retryDelay(failed, range, () => share));
        expect(waits).toEqual(waits.toSorted((a, b) => a - b));
      }),
    );
  });
});
