import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CUT_TO, cubic, firstBackMs, isDoubling, nextBackMs } from '../../src/accounts/cubic.ts';

const rates = fc.double({ min: 0.5, max: 20_000, noNaN: true });
const times = fc.double({ min: 0, max: 120_000, noNaN: true });
const shares = fc.double({ min: 0.01, max: 0.99, noNaN: true });
const waysBack = fc.constantFrom(5_000, 25_000, 475_000);
const backMs = 25_000;
const FLAT_MS = 2_000;

describe('the rate after a cut', () => {
  it('stays where the cut left it for two ticks, and is back at the last good one after the way back', () => {
    fc.assert(
      fc.property(rates, shares, waysBack, (good, share, backMs) => {
        const cut = { good, low: share * good, backMs };
        expect(cubic(cut, 0)).toBeCloseTo(share * good, 6);
        expect(cubic(cut, FLAT_MS)).toBeCloseTo(share * good, 6);
        expect(cubic(cut, FLAT_MS + backMs)).toBeCloseTo(good, 6);
      }),
    );
  });

  it('is back within seconds at first, and the later the more often the limit was there', () => {
    expect(firstBackMs()).toBe(5_000);
    expect(firstBackMs(40_000)).toBe(40_000);
    expect(nextBackMs(5_000, 0, 1_000)).toBe(15_000);
    expect(nextBackMs(15_000, 0, 1_000)).toBeCloseTo(25_000, -2);
  });

  it('is back the later, the more the next 429 costs, but looks further no slower for it', () => {
    const longest = (holdMs: number, good: number) => nextBackMs(Number.POSITIVE_INFINITY, holdMs, good);
    expect(longest(1_000, 1_000)).toBeCloseTo(45_000, -2);
    // A 429 takes the place of a request, which is a second where the limit is one per second.
    expect(longest(0, 1)).toBe(45_000);
    expect(longest(30_000, 1_000)).toBeCloseTo(625_000, -2);
    expect(longest(300_000, 1_000)).toBe(longest(60_000, 1_000));
    const further = (backMs: number) => cubic({ good: 100, low: 90, backMs }, FLAT_MS + backMs + 20_000);
    expect(further(475_000)).toBeCloseTo(further(25_000));
    expect(further(5_000)).toBeGreaterThan(100 * further(25_000));
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

  it('doubles each second after two and a half ways back, and from the start where no good one is known', () => {
    const cut = { good: 100, low: 90, backMs };
    const end = FLAT_MS + 62_500;
    expect(isDoubling(cut, end)).toBe(false);
    expect(isDoubling(cut, end + 1)).toBe(true);
    expect(cubic(cut, end + 2_000)).toBeCloseTo(4 * cubic(cut, end));
    const unknown = { good: 1, low: 1, backMs };
    expect([0, 2_000, 3_000, 12_000].map((ms) => cubic(unknown, ms))).toEqual([1, 1, 2, 1_024]);
    expect(cubic(cut, Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
  });
});
