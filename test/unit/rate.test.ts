import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ECHO_MS,
  FLOOR,
  initialState,
  knownRate,
  nextState,
  type RateNews,
  type RateState,
  shareOf,
} from '../../src/accounts/rate.ts';

const NONE = Number.POSITIVE_INFINITY;
const quiet: RateNews = {
  max: null,
  cut: false,
  othersCut: false,
  othersRate: null,
  askedPerSecond: 100,
  elapsedMs: 1_000,
  held: false,
};
const limitedTo = (rate: number): RateState => ({ rate, step: 1, sinceCutMs: 10_000 });
/** The states one after the other, each a second after the one before. */
function seconds(count: number, from: RateState, news: Partial<RateNews>): RateState {
  let state = from;
  for (let n = 0; n < count; n++) state = nextState(state, { ...quiet, ...news });
  return state;
}

const rates = fc.double({ min: 0.01, max: 5_000, noNaN: true });
const maxes = fc.option(rates);
const news = fc.record({
  max: maxes,
  cut: fc.boolean(),
  othersCut: fc.boolean(),
  othersRate: fc.option(rates),
  askedPerSecond: fc.double({ min: 0, max: 5_000, noNaN: true }),
  elapsedMs: fc.double({ min: 0, max: 10_000, noNaN: true }),
  held: fc.boolean(),
});

describe('the rate', () => {
  it('is the configured one until a 429, also where that changes, and none where none is configured', () => {
    expect(initialState(50).rate).toBe(50);
    expect(seconds(10, initialState(50), { max: 50 }).rate).toBe(50);
    expect(seconds(1, initialState(50), { max: 80 }).rate).toBe(80);
    expect(seconds(1, initialState(50), { max: null }).rate).toBe(NONE);
    expect(seconds(10, initialState(null), {}).rate).toBe(NONE);
  });

  it('is halved by a 429, from what was asked where that is less', () => {
    const cut = { cut: true, askedPerSecond: 100 };
    expect(nextState(limitedTo(80), { ...quiet, ...cut })).toEqual({ rate: 40, step: 1.6, sinceCutMs: 0 });
    expect(nextState(limitedTo(800), { ...quiet, ...cut }).rate).toBe(50);
    expect(nextState(initialState(null), { ...quiet, ...cut })).toEqual({ rate: 50, step: 2, sinceCutMs: 0 });
    expect(nextState(initialState(null), { ...quiet, cut: true, askedPerSecond: 0 }).rate).toBe(FLOOR);
  });

  it('takes a 429 soon after a cut for its echo', () => {
    const once = nextState(limitedTo(80), { ...quiet, cut: true });
    const echoed = nextState(once, { ...quiet, cut: true, elapsedMs: ECHO_MS - 1 });
    expect(echoed.rate).toBeGreaterThanOrEqual(once.rate);
    expect(nextState(echoed, { ...quiet, cut: true, elapsedMs: 1 }).rate).toBeLessThan(once.rate);
  });

  it('grows back by its step, up to the configured one', () => {
    const once = nextState(initialState(100), { ...quiet, max: 100, cut: true });
    expect(seconds(10, once, { max: 100 }).rate).toBeCloseTo(70);
    expect(seconds(60, once, { max: 100 }).rate).toBe(100);
    const low = nextState(initialState(100), { ...quiet, max: 100, cut: true, askedPerSecond: 10 });
    expect(seconds(100, low, { max: 100, askedPerSecond: 10 }).rate).toBeCloseTo(55);
  });

  it('is forgotten where none is configured, a minute after the last 429 and where it limits nobody', () => {
    const once = nextState(initialState(null), { ...quiet, cut: true });
    expect(seconds(59, once, {}).rate).toBeLessThan(NONE);
    expect(seconds(70, once, {}).rate).toBeLessThan(NONE);
    expect(seconds(80, once, {}).rate).toBe(NONE);
  });

  it('neither grows nor is forgotten while nobody may ask', () => {
    const once = nextState(initialState(null), { ...quiet, cut: true });
    const held = seconds(300, once, { held: true, askedPerSecond: 0 });
    expect(held.rate).toBe(once.rate);
    expect(seconds(1, held, { askedPerSecond: 0 }).rate).toBeLessThan(NONE);
    expect(seconds(1, held, { cut: true }).rate).toBeLessThan(once.rate);
  });

  it('follows that of the others, and a cut of theirs is no second cut', () => {
    const followed = nextState(limitedTo(80), { ...quiet, othersCut: true, othersRate: 40 });
    expect(followed).toEqual({ rate: 40, step: 1.6, sinceCutMs: 0 });
    expect(nextState(limitedTo(40), { ...quiet, othersCut: true, othersRate: 40 }).rate).toBeCloseTo(41);
    expect(nextState(initialState(null), { ...quiet, othersRate: 40 }).rate).toBe(40);
  });

  it('of others that do not know of a limit is not followed, nor reported', () => {
    expect(knownRate(initialState(50))).toBeNull();
    expect(knownRate(initialState(null))).toBeNull();
    expect(knownRate(limitedTo(50))).toBe(50);
    expect(nextState(limitedTo(50), { ...quiet, othersRate: null }).rate).toBe(51);
  });

  it('is never above the configured one, nor below the floor unless that is', () => {
    fc.assert(
      fc.property(maxes, fc.array(news, { maxLength: 50 }), (max, all) => {
        let state = initialState(max);
        for (const each of all) {
          state = nextState(state, each);
          const atMost = each.max ?? NONE;
          expect(state.rate).toBeLessThanOrEqual(atMost);
          expect(state.rate).toBeGreaterThanOrEqual(Math.min(FLOOR, atMost));
        }
      }),
    );
  });

  it('is never cut twice within two seconds', () => {
    fc.assert(
      fc.property(fc.array(news, { maxLength: 50 }), (all) => {
        let state = initialState(null);
        let sinceCutMs = NONE;
        for (const each of all) {
          const before = state;
          state = nextState(before, { ...each, max: null, othersRate: null });
          sinceCutMs += each.elapsedMs;
          if (state.rate >= before.rate) continue;
          expect(sinceCutMs).toBeGreaterThanOrEqual(ECHO_MS);
          sinceCutMs = 0;
        }
      }),
    );
  });

  it('comes back to the configured one after any 429s', () => {
    fc.assert(
      fc.property(rates, fc.array(news, { maxLength: 20 }), (max, all) => {
        let state = initialState(max);
        for (const each of all) state = nextState(state, { ...each, max });
        const wait = Math.ceil(max / state.step + 1);
        expect(seconds(wait, state, { max }).rate).toBe(max);
      }),
    );
  });
});

/** Processes that tick in any order and hear what the others last reported. */
function cluster(size: number, asked: number) {
  const states = Array.from({ length: size }, () => initialState(null));
  const heard = states.map(() => states.map(() => 0));
  const cuts = states.map(() => 0);
  const reported = states.map((state) => ({ rate: knownRate(state), cuts: 0 }));

  function step(n: number, more: Partial<RateNews> = {}): void {
    const state = states[n] ?? initialState(null);
    const others = reported.map((report, other) => ({ ...report, other })).filter(({ other }) => other !== n);
    const known = others.map(({ rate }) => rate).filter((rate) => rate !== null);
    const othersCut = others.some(({ cuts, other }) => cuts > (heard[n]?.[other] ?? 0));
    heard[n] = reported.map(({ cuts }) => cuts);
    const othersRate = known.length === 0 ? null : Math.min(...known);
    states[n] = nextState(state, { ...quiet, askedPerSecond: asked, othersCut, othersRate, ...more });
    reported[n] = { rate: knownRate(states[n]), cuts: cuts[n] ?? 0 };
  }

  return {
    rates: () => states.map(({ rate }) => rate),
    tick(order: number[]): void {
      for (const n of order) step(n);
    },
    tooMany(n: number): void {
      cuts[n] = (cuts[n] ?? 0) + 1;
      step(n, { cut: true, othersCut: false, othersRate: null, elapsedMs: 0 });
    },
  };
}

const orders = fc.integer({ min: 2, max: 6 }).chain((size) =>
  fc.record({
    size: fc.constant(size),
    orders: fc.array(fc.shuffledSubarray([...Array(size).keys()], { minLength: size, maxLength: size }), {
      minLength: 120,
      maxLength: 120,
    }),
    hit: fc.integer({ min: 0, max: size - 1 }),
  }),
);

describe('the processes of an account', () => {
  it('are all slowed by a 429 of one, once, grow together, and forget together', () => {
    fc.assert(
      fc.property(orders, ({ size, orders, hit }) => {
        const processes = cluster(size, 200);
        processes.tooMany(hit);
        orders.forEach((order, second) => {
          processes.tick(order);
          const all = processes.rates();
          if (second < 60) {
            // 100 of 200, and 4 more with each second and each who has ticked in it.
            expect(Math.min(...all)).toBeGreaterThanOrEqual(100);
            expect(Math.max(...all)).toBeLessThanOrEqual(100 + 4 * size * (second + 1));
            expect(Math.max(...all) - Math.min(...all)).toBeLessThanOrEqual(4 * size);
          }
        });
        expect(processes.rates()).toEqual(Array(size).fill(NONE));
      }),
      { numRuns: 50 },
    );
  });

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
