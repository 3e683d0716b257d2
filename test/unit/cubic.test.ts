import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BACK_MS, CUT_TO, cubic, isDoubling } from '../../src/accounts/cubic.ts';

const rates = fc.double({ min: 0.5, max: 20_000, noNaN: true });
const times = fc.double({ min: 0, max: 120_000, noNaN: true });
const shares = fc.double({ min: 0.01, max: 0.99, noNaN: true });

describe('the rate after a cut', () => {
  it('begins where the cut left it, and is back at the last good one after 25 s', () => {
    fc.assert(
      fc.property(rates, shares, (good, share) => {
        expect(cubic({ good, low: share * good }, 0)).toBeCloseTo(share * good, 6);
        expect(cubic({ good, low: share * good }, BACK_MS)).toBeCloseTo(good, 6);
      }),
    );
  });

  it('never falls, and leaps nowhere', () => {
    fc.assert(
      fc.property(rates, shares, times, (good, share, ms) => {
        const cut = { good, low: share * good };
        const now = cubic(cut, ms);
        const soon = cubic(cut, ms + 10);
        expect(soon).toBeGreaterThanOrEqual(now);
        expect(soon).toBeLessThan(now * 1.02 + 0.02 * good);
      }),
    );
  });

  it('is the same curve for a great rate as for a small one', () => {
    fc.assert(
      fc.property(rates, shares, times, (good, share, ms) => {
        const small = cubic({ good: 1, low: share }, ms);
        expect(cubic({ good, low: share * good }, ms) / good / small).toBeCloseTo(1, 6);
      }),
    );
  });

  it('is most of the time near the last good one', () => {
    const cut = { good: 100, low: 100 * CUT_TO };
    let near = 0;
    for (let second = 0; second < 45; second++) {
      if (Math.abs(cubic(cut, second * 1_000) - 100) < 4) near++;
    }
    expect(near).toBeGreaterThan(35);
  });

  it('doubles each 2 s where it finds no limit in a minute, and from the start where no good one is known', () => {
    const cut = { good: 100, low: 90 };
    expect(isDoubling(cut, 62_500)).toBe(false);
    expect(isDoubling(cut, 62_501)).toBe(true);
    expect(cubic(cut, 66_500)).toBeCloseTo(4 * cubic(cut, 62_500));
    const unknown = { good: 1, low: 1 };
    expect([0, 2_000, 20_000].map((ms) => cubic(unknown, ms))).toEqual([1, 2, 1_024]);
    expect(cubic(cut, Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
  });
});
