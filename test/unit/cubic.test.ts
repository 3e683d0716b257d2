import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CUT_TO, cubic, isDoubling, wayBackMs } from '../../src/accounts/cubic.ts';

const rates = fc.double({ min: 0.5, max: 20_000, noNaN: true });
const times = fc.double({ min: 0, max: 120_000, noNaN: true });
const shares = fc.double({ min: 0.01, max: 0.99, noNaN: true });
const waysBack = fc.constantFrom(25_000, 40_000, 475_000);
const backMs = 25_000;

describe('the rate after a cut', () => {
  it('begins where the cut left it, and is back at the last good one when the way back is over', () => {
    fc.assert(
      fc.property(rates, shares, waysBack, (good, share, backMs) => {
        expect(cubic({ good, low: share * good, backMs }, 0)).toBeCloseTo(share * good, 6);
        expect(cubic({ good, low: share * good, backMs }, backMs)).toBeCloseTo(good, 6);
      }),
    );
  });

  it('is back the later, the more the next 429 costs, but looks further as fast as ever', () => {
    expect(wayBackMs(0, 1_000)).toBeCloseTo(25_000, -2);
    expect(wayBackMs(1_000, 1_000)).toBeCloseTo(45_000, -2);
    // A 429 takes the place of a request, which is a second where the limit is one per second.
    expect(wayBackMs(0, 1)).toBe(45_000);
    expect(wayBackMs(30_000, 1_000)).toBeCloseTo(625_000, -2);
    expect(wayBackMs(300_000, 1_000)).toBe(wayBackMs(60_000, 1_000));
    const further = (backMs: number) => cubic({ good: 100, low: 90, backMs }, backMs + 20_000);
    expect(further(475_000)).toBeCloseTo(further(25_000));
  });

  it('never falls, and leaps nowhere', () => {
    fc.assert(
      fc.property(rates, shares, times, waysBack, (good, share, ms, backMs) => {
        const cut = { good, low: share * good, backMs };
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
        const small = cubic({ good: 1, low: share, backMs }, ms);
        expect(cubic({ good, low: share * good, backMs }, ms) / good / small).toBeCloseTo(1, 6);
      }),
    );
  });

  it('is most of the time near the last good one', () => {
    const cut = { good: 100, low: 100 * CUT_TO, backMs };
    let near = 0;
    for (let second = 0; second < 45; second++) {
      if (Math.abs(cubic(cut, second * 1_000) - 100) < 4) near++;
    }
    expect(near).toBeGreaterThan(35);
  });

  it('doubles each 2 s where it finds no limit in a minute, and from the start where no good one is known', () => {
    const cut = { good: 100, low: 90, backMs };
    expect(isDoubling(cut, 62_500)).toBe(false);
    expect(isDoubling(cut, 62_501)).toBe(true);
    expect(cubic(cut, 66_500)).toBeCloseTo(4 * cubic(cut, 62_500));
    const unknown = { good: 1, low: 1, backMs };
    expect([0, 2_000, 20_000].map((ms) => cubic(unknown, ms))).toEqual([1, 2, 1_024]);
    expect(cubic(cut, Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
  });
});
