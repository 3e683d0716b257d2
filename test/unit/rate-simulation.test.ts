import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  changing,
  fixedWindow,
  type Limiter,
  refusing,
  tokenBucket,
  unlimited,
} from '../support/limiters.ts';
import { RateSimulation, type SimulationOptions } from '../support/rate-simulation.ts';

const NONE = Number.POSITIVE_INFINITY;
/** 1,050 calls ask for 300 polls per second. */
const ONE = [1_050];
const THREE = [500, 350, 200];
/** `Retry-After` of a limiter, in seconds. */
const TELLS = 1;

interface Bounds {
  /** 90 of 100, unless another is given. */
  accepted?: number;
  refusedShare: number;
  /** Intervals, of the mean one. */
  slowest: number;
}

let running: RateSimulation;

afterEach(() => {
  running.stop();
  vi.unstubAllGlobals();
});

async function start(options: SimulationOptions): Promise<RateSimulation> {
  running = await RateSimulation.start(options);
  return running;
}

describe.each([
  ['one process', ONE],
  ['three processes', THREE],
])('%s that ask for 300 polls per second', (_, calls) => {
  const limiters: [string, () => Limiter][] = [
    ['a token bucket, with Retry-After', () => tokenBucket(100, 10, TELLS)],
    ['a token bucket', () => tokenBucket(100, 10)],
    ['a bucket of a second', () => tokenBucket(100, 100)],
    ['a bucket of ten seconds, with Retry-After', () => tokenBucket(100, 1_000, TELLS)],
    ['a bucket of ten seconds', () => tokenBucket(100, 1_000)],
    ['a window of a second, with Retry-After', () => fixedWindow(100, 1_000, true)],
    ['a window of a second', () => fixedWindow(100, 1_000)],
  ];

  it.each(limiters)('get 90 of 100 from the second minute on, and few 429s, from %s', async (_, limiter) => {
    const simulation = await start({ calls, limiter: limiter() });
    await simulation.until(60);
    const figures = await simulation.until(300);
    expect(figures.acceptedPerSecond).toBeGreaterThanOrEqual(90);
    expect(figures.refusedShare).toBeLessThanOrEqual(0.03);
    expect(figures.slowestIntervalMs).toBeLessThanOrEqual(2.5 * figures.meanIntervalMs);
  });

  // Such a window is used up, and then waited for: no call is polled before the next one begins. Where nobody tells when
  // that is, chance decides how much of a window of ten seconds is had: 84 to 95, by 24 seeds.
  const longWindows: [string, () => Limiter, Bounds][] = [
    [
      'ten seconds, with Retry-After',
      () => fixedWindow(1_000, 10_000, true),
      { refusedShare: 0.03, slowest: 2.5 },
    ],
    ['ten seconds', () => fixedWindow(1_000, 10_000), { accepted: 80, refusedShare: 0.05, slowest: NONE }],
    [
      'a minute, with Retry-After',
      () => fixedWindow(6_000, 60_000, true),
      { refusedShare: 0.03, slowest: 6 },
    ],
    ['a minute', () => fixedWindow(6_000, 60_000), { refusedShare: 0.03, slowest: 6 }],
  ];

  it.each(longWindows)('get about as many from a window of %s', async (_, limiter, bounds) => {
    const simulation = await start({ calls, limiter: limiter() });
    await simulation.until(60);
    const figures = await simulation.until(300);
    expect(figures.acceptedPerSecond).toBeGreaterThanOrEqual(bounds.accepted ?? 90);
    expect(figures.refusedShare).toBeLessThanOrEqual(bounds.refusedShare);
    expect(figures.slowestIntervalMs).toBeLessThanOrEqual(bounds.slowest * figures.meanIntervalMs);
  });

  it.each([TELLS, null])(
    'follow a limit that changes, and forget one that is gone (%s)',
    async (retryAfter) => {
      const bucket = (perSecond: number) => tokenBucket(perSecond, perSecond / 10, retryAfter);
      const limiter = changing(
        [0, bucket(200)],
        [120_000, bucket(50)],
        [360_000, bucket(150)],
        [540_000, unlimited],
      );
      const simulation = await start({ calls, limiter });
      const accepted = async (from: number, until: number) => {
        await simulation.until(from);
        return (await simulation.until(until)).acceptedPerSecond;
      };
      expect(await accepted(60, 120)).toBeGreaterThan(0.85 * 200);
      expect(await accepted(240, 360)).toBeGreaterThan(0.85 * 50);
      expect(await accepted(450, 540)).toBeGreaterThan(0.85 * 150);
      expect(await accepted(630, 660)).toBeGreaterThan(0.95 * 300);
      for (const limit of simulation.limits) expect(limit.rate).toBe(NONE);
    },
  );

  it('never exceed a configured rate, and have all of it', async () => {
    const simulation = await start({ calls, limiter: unlimited, max: 80 });
    await simulation.until(10);
    const figures = await simulation.until(130);
    expect(figures.acceptedPerSecond).toBeGreaterThan(79);
    expect(figures.acceptedPerSecond).toBeLessThan(80.5);
    for (const limit of simulation.limits) expect(limit.rate).toBe(80);
  });

  it('find the true limit below a configured rate', async () => {
    const simulation = await start({ calls, limiter: tokenBucket(100, 10, TELLS), max: 250 });
    await simulation.until(60);
    const figures = await simulation.until(180);
    expect(figures.acceptedPerSecond).toBeGreaterThanOrEqual(90);
    expect(figures.refusedShare).toBeLessThanOrEqual(0.03);
  });
});

describe.each([
  ['2,000 calls in one process', [2_000]],
  ['2,000 calls in three processes', [1_000, 600, 400]],
  ['20,000 calls in one process', [20_000]],
  ['20,000 calls in three processes', [10_000, 6_000, 4_000]],
])('%s', (_, calls) => {
  const demand = calls.reduce((sum, each) => sum + each, 0) / 3.5;

  it.each([TELLS, null])(
    'are polled as before soon after 5 s of nothing but 429 (%s)',
    async (retryAfter) => {
      const limiter = changing([20_000, refusing(retryAfter)], [25_000, unlimited]);
      const simulation = await start({ calls, limiter });
      await simulation.until(20);
      const burst = await simulation.until(25);
      expect(burst.acceptedPerSecond * 5).toBeLessThan(0.1 * demand);
      await simulation.until(35);
      const after = await simulation.until(55);
      expect(after.acceptedPerSecond).toBeGreaterThanOrEqual(0.9 * demand);
      expect(after.refusedShare).toBe(0);
    },
  );

  it('are polled as they should be 30 s after 5 s of 429 right at the start', async () => {
    const limiter = changing([0, refusing(TELLS)], [5_000, unlimited]);
    const simulation = await start({ calls, limiter });
    await simulation.until(35);
    const after = await simulation.until(45);
    expect(after.acceptedPerSecond).toBeGreaterThanOrEqual(0.9 * demand);
  });
});
