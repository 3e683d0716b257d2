import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CUT_TO, firstBackMs, isGoodKnown, nextBackMs, OPEN_BACK_MS } from '../../src/accounts/cubic.ts';
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
const backMs = 25_000;
const limitedTo = (good: number): RateState => ({ cuts: 1, good, low: 0.9 * good, backMs, grownMs: 25_000 });
/** A 429 without `Retry-After`, at such a rate. */
const news = (rate: number, accepted: number | null, more: Partial<CutNews> = {}): CutNews => ({
  ...{ cuts: 2, rate, accepted, mean: 0, holdMs: 0 },
  ...more,
});
/** The state so many seconds later, a second after the other. */
function seconds(count: number, from: RateState, max: number | null = null, wanted = 100): RateState {
  let state = from;
  for (let n = 0; n < count; n++) state = grown(state, { ms: 1_000, max, wanted });
  return state;
}

const rates = fc.double({ min: 0.01, max: 5_000, noNaN: true });
const maxes = fc.option(rates);
/** What may happen to a state, one thing after the other. */
const events = fc.array(
  fc.oneof(
    fc.record({ cut: fc.option(fc.double({ min: 0.001, max: 5_000, noNaN: true })), mean: rates }),
    fc.record({ ms: fc.double({ min: 0, max: 100_000, noNaN: true }), wanted: rates }),
    fc.record({ resumed: fc.option(rates), refusedMs: fc.constantFrom(1_000, 40_000) }),
  ),
  { maxLength: 50 },
);

function statesAfter(happened: typeof events extends fc.Arbitrary<infer E> ? E : never, max: number | null) {
  const states = [NEVER_CUT];
  for (const event of happened) {
    const state = states.at(-1) ?? NEVER_CUT;
    if ('resumed' in event) states.push(resumed(state, event.resumed, event.refusedMs));
    else if ('ms' in event) states.push(grown(state, { ...event, max }));
    else {
      const { cut: accepted, mean } = event;
      states.push(cut(state, news(rateOf(state, max), accepted, { cuts: state.cuts + 1, mean })));
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
    expect(cut(limitedTo(200), news(200, 99))).toMatchObject({ cuts: 2, low: 90, grownMs: 0 });
    expect(cut(NEVER_CUT, news(NONE, 99))).toMatchObject({ good: 100, low: 90 });
    // Of two that are accepted each second a count may show but one.
    expect(cut(limitedTo(2), news(2, 1))).toMatchObject({ good: 2, low: 1.8 });
    // What the drop-in asked beyond the rate is no reason to raise it.
    expect(cut(limitedTo(80), news(80, 100))).toMatchObject({ good: 80, low: 72 });
  });

  it('goes back to between what was accepted and what it was, where the limit lies', () => {
    expect(cut(limitedTo(100), news(100, 80.5)).good).toBeCloseTo(Math.sqrt(81.5 * 100));
    // It had just begun to climb to what was good before: no tick has shown that yet.
    expect(cut(limitedTo(250), news(160, 9))).toMatchObject({ good: 40, low: 9 });
  });

  it('is kept near the limit for the longer, the more often that was where it was', () => {
    const again = (accepted: number, grownMs = 25_000) =>
      cut({ ...limitedTo(100), backMs: 5_000, grownMs }, news(100, accepted, { holdMs: 2_000 })).backMs;
    expect(again(99, 6_000)).toBe(nextBackMs(5_000, 2_000, 100));
    expect(again(91, 6_000)).toBe(15_000);
    // It is below: what the last cut left was not accepted. So is every limit that a burst seems to show.
    expect(again(85, 6_000)).toBe(firstBackMs());
    // It is above, or gone: the rate has doubled.
    expect(again(99)).toBe(firstBackMs());
    // None was known: all that was asked may have been accepted.
    expect(cut(NEVER_CUT, news(NONE, 99)).backMs).toBe(OPEN_BACK_MS);
  });

  it('is what was accepted on the whole where nothing was measured since the cut before, and soon back', () => {
    const state = cut(limitedTo(209), news(190, null, { mean: 4 }));
    expect(state).toMatchObject({ good: 209, low: 4, backMs: firstBackMs() });
    expect(rateOf(seconds(2, state), null)).toBe(4);
    expect(rateOf(cut(NEVER_CUT, news(50, null, { mean: 70 })), 50)).toBe(50);
  });

  it('without any limit, and with nothing measured, is a probe, and doubles', () => {
    const state = cut(NEVER_CUT, news(NONE, null));
    expect(isGoodKnown(state)).toBe(false);
    expect(rateOf(state, null)).toBe(PROBES);
    expect(rateOf(seconds(12, state, null, 1e6), null)).toBeCloseTo(1_024);
  });

  it('grows to the configured one, and the limit is forgotten where it was not met again', () => {
    const once = cut(NEVER_CUT, news(100, 94));
    expect(rateOf(seconds(4, once, 100), 100)).toBeCloseTo(95);
    expect(isForgotten(seconds(7, once, 100))).toBe(false);
    const grownBack = seconds(8, once, 100);
    expect(isForgotten(grownBack)).toBe(true);
    expect(rateOf(grownBack, 100)).toBe(100);
  });

  it('is forgotten where none is configured, and where it was not met again and limits nobody', () => {
    const once = cut(NEVER_CUT, news(NONE, 99));
    expect(isForgotten(seconds(7, once, null, 10))).toBe(false);
    expect(isForgotten(seconds(8, once, null, 10))).toBe(true);
    expect(isForgotten(seconds(7, once, null, 100))).toBe(false);
    expect(isForgotten(seconds(8, once, null, 100))).toBe(true);
  });

  it('is again what the cut left, after a time in which all was refused, and soon back', () => {
    const state = { ...limitedTo(100), cuts: 3 };
    const next = { ...state, cuts: 4, backMs: firstBackMs(), grownMs: 0 };
    expect(resumed(state, null, 40_000)).toEqual(next);
    expect(resumed(state, 95, 40_000)).toEqual(next);
  });

  it('is what was accepted on the whole, where all is refused again, for as long as it was', () => {
    const state = resumed(limitedTo(300), 90, 40_000);
    expect(state).toMatchObject({ good: 100, low: 90, backMs: 40_000, grownMs: 0 });
    expect(resumed(limitedTo(300), 90, 3_000).backMs).toBe(firstBackMs());
    expect(resumed(limitedTo(2), 0, 1_000)).toMatchObject({ low: FLOOR });
    expect(resumed({ ...limitedTo(FLOOR), low: FLOOR }, 0, 1_000)).toMatchObject({ low: FLOOR });
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

  it('falls by a cut, but never below a share of what was accepted, or a probe', () => {
    fc.assert(
      fc.property(maxes, events, fc.option(rates), (max, happened, accepted) => {
        const state = statesAfter(happened, max).at(-1) ?? NEVER_CUT;
        const rate = rateOf(state, max);
        const left = rateOf(cut(state, news(rate, accepted, { cuts: state.cuts + 1 })), max);
        expect(left).toBeLessThanOrEqual(Math.max(FLOOR, rate));
        const lowest = Math.min(PROBES, CUT_TO * Math.min(rate, accepted ?? rate));
        expect(left).toBeGreaterThanOrEqual(lowest - 1e-9);
      }),
    );
  });

  it('comes back to the configured one after whatever happened', () => {
    fc.assert(
      fc.property(rates, events, (max, happened) => {
        const state = statesAfter(happened, max).at(-1) ?? NEVER_CUT;
        expect(rateOf(seconds(200, state, max), max)).toBe(max);
      }),
    );
  });
});

const states = fc.record({
  cuts: fc.integer({ min: 0, max: 3 }),
  good: fc.constantFrom(1, 10, 100),
  low: fc.constantFrom(1, 9, 90),
  backMs: fc.constantFrom(25_000, 40_000),
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
    const later = { cuts: 5, good: 200, low: 180, backMs, grownMs: 0 };
    expect(merged(later, limitedTo(10))).toBe(later);
    expect(merged({ ...limitedTo(10), grownMs: NONE }, later)).toBe(later);
  });

  it('of two cuts at once is the lower, but a good rate rather than none', () => {
    expect(merged(limitedTo(100), limitedTo(80))).toEqual(limitedTo(80));
    const unknown = { cuts: 1, good: 1, low: 1, backMs, grownMs: 0 };
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
