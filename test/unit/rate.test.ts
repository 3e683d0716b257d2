import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CUT_TO, isGoodKnown } from '../../src/accounts/cubic.ts';
import {
  type CutNews,
  cut,
  FLOOR,
  grown,
  isForgotten,
  merged,
  NEVER_CUT,
  PROBES,
  type RateState,
  rateOf,
  resumed,
  shareOf,
} from '../../src/accounts/rate.ts';

const NONE = Number.POSITIVE_INFINITY;
const limitedTo = (good: number): RateState => ({ cuts: 1, good, low: 0.9 * good, grownMs: 25_000 });
/** The state so many seconds later, a second after the other. */
function seconds(count: number, from: RateState, max: number | null = null, askedPerSecond = 100): RateState {
  let state = from;
  for (let n = 0; n < count; n++) state = grown(state, { ms: 1_000, max, askedPerSecond });
  return state;
}

const rates = fc.double({ min: 0.01, max: 5_000, noNaN: true });
const maxes = fc.option(rates);
/** What may happen to a state, one thing after the other. */
const events = fc.array(
  fc.oneof(
    fc.record({ cut: fc.option(fc.double({ min: 0.001, max: 5_000, noNaN: true })) }),
    fc.record({ ms: fc.double({ min: 0, max: 100_000, noNaN: true }), askedPerSecond: rates }),
    fc.constant('resumed' as const),
  ),
  { maxLength: 50 },
);

function statesAfter(happened: typeof events extends fc.Arbitrary<infer E> ? E : never, max: number | null) {
  const states = [NEVER_CUT];
  for (const event of happened) {
    const state = states.at(-1) ?? NEVER_CUT;
    if (event === 'resumed') states.push(resumed(state));
    else if ('ms' in event) states.push(grown(state, { ...event, max }));
    else {
      const news: CutNews = { cuts: state.cuts + 1, rate: rateOf(state, max), accepted: event.cut };
      states.push(cut(state, news));
    }
  }
  return states;
}

describe('the rate', () => {
  it('is the configured one until a 429, also where that changes, and none where none is configured', () => {
    expect(rateOf(NEVER_CUT, 50)).toBe(50);
    expect(rateOf(seconds(10, NEVER_CUT, 50), 80)).toBe(80);
    expect(rateOf(seconds(10, NEVER_CUT), null)).toBe(NONE);
  });

  it('is cut to most of what was accepted, never to a share of a rate that nobody asked for', () => {
    expect(cut(limitedTo(200), { cuts: 2, rate: 200, accepted: 100 })).toEqual({
      ...{ cuts: 2, good: 100, low: 90, grownMs: 0 },
    });
    expect(cut(NEVER_CUT, { cuts: 1, rate: NONE, accepted: 100 })).toMatchObject({ good: 100, low: 90 });
    // What the drop-in asked beyond the rate is no reason to raise it.
    expect(cut(limitedTo(80), { cuts: 2, rate: 80, accepted: 100 })).toMatchObject({ good: 80, low: 72 });
  });

  it('is halved where nothing was measured since the cut before, and grows back to the good one before', () => {
    expect(cut(limitedTo(80), { cuts: 2, rate: 60, accepted: null })).toMatchObject({ good: 80, low: 30 });
    expect(cut(NEVER_CUT, { cuts: 1, rate: 50, accepted: null })).toMatchObject({ good: 50, low: 25 });
  });

  it('without any limit, and with nothing measured, is a probe, and doubles', () => {
    const state = cut(NEVER_CUT, { cuts: 1, rate: NONE, accepted: null });
    expect(isGoodKnown(state)).toBe(false);
    expect(rateOf(state, null)).toBe(PROBES);
    expect(rateOf(seconds(20, state, null, 1e6), null)).toBeCloseTo(1_024);
  });

  it('that doubles is ahead of what was measured, and is looked for up to where it was', () => {
    const doubling = seconds(14, cut(NEVER_CUT, { cuts: 1, rate: NONE, accepted: null }), null, 1e6);
    expect(cut(doubling, { cuts: 2, rate: 128, accepted: 80 })).toMatchObject({ good: 128, low: 72 });
  });

  it('grows to the configured one, and the limit is forgotten then', () => {
    const once = cut(NEVER_CUT, { cuts: 1, rate: 100, accepted: 95 });
    expect(rateOf(seconds(25, once, 100), 100)).toBeCloseTo(95);
    const grownBack = seconds(50, once, 100);
    expect(isForgotten(grownBack)).toBe(true);
    expect(rateOf(grownBack, 100)).toBe(100);
  });

  it('is forgotten where none is configured, after a minute and where it limits nobody', () => {
    const once = cut(NEVER_CUT, { cuts: 1, rate: NONE, accepted: 100 });
    expect(isForgotten(seconds(59, once, null, 10))).toBe(false);
    expect(isForgotten(seconds(60, once, null, 10))).toBe(true);
    expect(isForgotten(seconds(60, once, null, 100))).toBe(false);
    expect(isForgotten(seconds(66, once, null, 100))).toBe(true);
  });

  it('is again what the cut left, after a time in which all was refused', () => {
    expect(resumed({ cuts: 3, good: 100, low: 90, grownMs: 7_000 })).toEqual({
      ...{ cuts: 4, good: 100, low: 90, grownMs: 0 },
    });
  });

  it('is never above the configured one, nor below the floor unless that is, nor ever no number', () => {
    fc.assert(
      fc.property(maxes, events, (max, happened) => {
        for (const state of statesAfter(happened, max)) {
          const rate = rateOf(state, max);
          expect(rate).toBeLessThanOrEqual(max ?? NONE);
          expect(rate).toBeGreaterThanOrEqual(Math.min(FLOOR, max ?? NONE));
        }
      }),
    );
  });

  it('falls by a cut, but never below a share of what was accepted or half of what it was', () => {
    fc.assert(
      fc.property(maxes, events, fc.option(rates), (max, happened, accepted) => {
        const state = statesAfter(happened, max).at(-1) ?? NEVER_CUT;
        const rate = rateOf(state, max);
        const left = rateOf(cut(state, { cuts: state.cuts + 1, rate, accepted }), max);
        expect(left).toBeLessThanOrEqual(Math.max(FLOOR, rate));
        if (rate > 2 * FLOOR && rate < NONE) {
          expect(left).toBeGreaterThanOrEqual(Math.min(rate / 2, CUT_TO * (accepted ?? rate)) - 1e-9);
        }
      }),
    );
  });

  it('comes back to the configured one after whatever happened', () => {
    fc.assert(
      fc.property(rates, events, (max, happened) => {
        const state = statesAfter(happened, max).at(-1) ?? NEVER_CUT;
        expect(rateOf(seconds(100, state, max), max)).toBe(max);
      }),
    );
  });
});

const states = fc.record({
  cuts: fc.integer({ min: 0, max: 3 }),
  good: fc.constantFrom(1, 10, 100),
  low: fc.constantFrom(1, 9, 90),
  grownMs: fc.constantFrom(0, 1_000, 25_000, NONE),
});

describe('what processes know together', () => {
  it('is the same in whatever order and however often they hear of each other', () => {
    fc.assert(
      fc.property(states, states, states, (a, b, c) => {
        expect(merged(a, b)).toEqual(merged(b, a));
        expect(merged(merged(a, b), c)).toEqual(merged(a, merged(b, c)));
        expect(merged(merged(a, b), b)).toEqual(merged(a, b));
        expect(merged(a, a)).toEqual(a);
      }),
    );
  });

  it('is the later cut, whatever was known before it', () => {
    const later = { cuts: 5, good: 200, low: 180, grownMs: 0 };
    expect(merged(later, limitedTo(10))).toBe(later);
    expect(merged({ ...limitedTo(10), grownMs: NONE }, later)).toBe(later);
  });

  it('of two cuts at once is the lower, but a good rate rather than none', () => {
    expect(merged(limitedTo(100), limitedTo(80))).toEqual(limitedTo(80));
    const unknown = { cuts: 1, good: 1, low: 1, grownMs: 0 };
    expect(merged(limitedTo(100), unknown)).toEqual(limitedTo(100));
  });

  it('is forgotten where one has forgotten it, and keeps what was good', () => {
    const forgotten = { ...limitedTo(100), grownMs: NONE };
    expect(merged(limitedTo(100), forgotten)).toEqual(forgotten);
  });
});

describe('the processes of an account', () => {
  it('share the rate, all of it, as their demand is', () => {
    fc.assert(
      fc.property(
        rates,
        fc.array(fc.integer({ min: 1, max: 50_000 }), { minLength: 1, maxLength: 20 }),
        (rate, demands) => {
          const shares = demands.map((mine, n) => shareOf(rate, mine, demands.toSpliced(n, 1)));
          expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(rate, 6);
          for (const [n, share] of shares.entries()) {
            expect(share / (demands[n] ?? 0)).toBeCloseTo((shares[0] ?? 0) / (demands[0] ?? 0), 6);
          }
        },
      ),
    );
    expect(shareOf(NONE, 0, [5])).toBe(NONE);
    expect(shareOf(100, 0, [99])).toBe(1);
  });
});
