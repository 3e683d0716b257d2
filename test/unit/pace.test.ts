import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  backoffDelay,
  leaseLength,
  longestPromise,
  Newcomers,
  nextPollDelay,
  type PaceSettings,
} from '../../src/call/pace.ts';
import { seededRandom } from '../../src/simulator/random.ts';

const settings: PaceSettings = { intervalMinMs: 2_000, intervalMaxMs: 5_000, backoffMaxMs: 60_000 };
const randoms = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const anySettings = fc
  .record({
    intervalMinMs: fc.integer({ min: 1, max: 100_000 }),
    range: fc.integer({ min: 0, max: 100_000 }),
    backoffMaxMs: fc.integer({ min: 1, max: 1_000_000 }),
  })
  .map(({ intervalMinMs, range, backoffMaxMs }) => ({
    intervalMinMs,
    intervalMaxMs: intervalMinMs + range,
    backoffMaxMs,
  }));

describe('the next poll', () => {
  it('is always within the interval', () => {
    fc.assert(
      fc.property(anySettings, fc.nat(), randoms, (pace, age, random) => {
        const delay = nextPollDelay(age, pace, () => random);
        expect(delay).toBeGreaterThanOrEqual(pace.intervalMinMs);
        expect(delay).toBeLessThanOrEqual(pace.intervalMaxMs);
      }),
    );
  });

  it('is at the fast end while the status is young, and over the whole interval later', () => {
    const slowest = () => 0.999_999;
    expect(nextPollDelay(0, settings, slowest)).toBeLessThanOrEqual(3_000);
    expect(nextPollDelay(60_000, settings, slowest)).toBeGreaterThan(4_999);
  });
});

describe('the first poll', () => {
  const latest = () => 0.999_999;

  it('comes at once where a call comes alone', () => {
    const newcomers = new Newcomers(latest);
    const delays = [0, 100, 60_000].map((now) => newcomers.firstPollDelay(now, settings));
    expect(delays).toEqual([0, 0, 0]);
  });

  it('comes within 50 ms where 50 calls a second come one after the other', () => {
    const newcomers = new Newcomers(latest);
    const delays = Array.from({ length: 1_000 }, (_, n) => newcomers.firstPollDelay(n * 20, settings));
    expect(Math.max(...delays)).toBeLessThanOrEqual(50);
  });

  it('of a crowd is spread over a second, and soon comes at once again after it', () => {
    const random = seededRandom(1);
    const newcomers = new Newcomers(random);
    const delays = Array.from({ length: 50_000 }, () => newcomers.firstPollDelay(0, settings));
    const perTenth = Array.from(
      { length: 10 },
      (_, n) => delays.filter((ms) => Math.floor(ms / 100) === n).length,
    );
    for (const polls of perTenth) expect(polls / 50_000).toBeCloseTo(0.1, 2);
    expect(newcomers.firstPollDelay(1_000, settings)).toBe(0);
  });

  it('of ten calls that come together is not at the same time', () => {
    const newcomers = new Newcomers(latest);
    const delays = Array.from({ length: 10 }, () => newcomers.firstPollDelay(0, settings));
    expect(delays.map((ms) => Math.round(ms))).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
  });

  it('comes within the shortest interval, whatever the crowd', () => {
    const pace = { ...settings, intervalMinMs: 100 };
    const newcomers = new Newcomers(latest);
    const delays = Array.from({ length: 1_000 }, () => newcomers.firstPollDelay(0, pace));
    expect(Math.max(...delays)).toBeLessThan(100);
  });
});

describe('backoff', () => {
  it('doubles from one second to its limit, with full jitter', () => {
    const ceilings = [1, 2, 3, 4, 5, 6, 7, 8, 1_000].map((n) => backoffDelay(n, null, settings, () => 1));
    expect(ceilings).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    expect(backoffDelay(5, null, settings, () => 0)).toBe(0);
    expect(backoffDelay(5, null, settings, () => 0.5)).toBe(8_000);
  });

  it('at its limit costs one poll per limit, where the calls have spread over it before', () => {
    expect([6, 7, 8, 1_000].map((n) => backoffDelay(n, null, settings, () => 0.5))).toEqual([
      16_000, 30_000, 60_000, 60_000,
    ]);
  });

  it('obeys Retry-After, but puts no call off for longer than its limit', () => {
    expect(backoffDelay(1, 20_000, settings, () => 0)).toBe(20_000);
    expect(backoffDelay(1, 20_000, settings, () => 0.5)).toBe(20_500);
    expect(backoffDelay(1, 100_000, settings, () => 0)).toBe(60_000);
    expect(backoffDelay(7, 50_000, settings, () => 0.5)).toBe(60_000);
  });

  it('is within its limit for any number of failures and any Retry-After', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.option(fc.nat()),
        anySettings,
        randoms,
        (failures, retryAfter, pace, random) => {
          const delay = backoffDelay(failures, retryAfter, pace, () => random);
          expect(delay).toBeGreaterThanOrEqual(Math.min(retryAfter ?? 0, pace.backoffMaxMs));
          expect(delay).toBeLessThanOrEqual(pace.backoffMaxMs);
        },
      ),
    );
  });
});

it('no promise to follow is longer than the longest one', () => {
  fc.assert(
    fc.property(
      anySettings,
      fc.integer({ min: 1, max: 1_000_000 }),
      randoms,
      fc.nat(),
      (pace, ms, random, failures) => {
        const longest = longestPromise({ ...pace, leaseMs: ms, pollTimeoutMs: ms });
        expect(leaseLength(ms, () => random) + pace.intervalMaxMs + ms).toBeLessThanOrEqual(longest);
        expect(backoffDelay(failures, 3_600_000, pace, () => random)).toBeLessThanOrEqual(longest);
      },
    ),
  );
});

it('a lease is jittered by a quarter', () => {
  expect([0, 0.5, 1].map((random) => leaseLength(60_000, () => random))).toEqual([45_000, 60_000, 75_000]);
});
