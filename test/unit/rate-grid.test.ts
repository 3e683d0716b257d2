import { afterEach, describe, expect, it, vi } from 'vitest';
import { changing, fixedWindow, type Limiter, tokenBucket, unlimited } from '../support/limiters.ts';
import { RateSimulation } from '../support/rate-simulation.ts';

/** Polls per second that are asked for, and the limit that they meet. */
type Meeting = readonly [demand: number, limit: number];

/** When the limit begins: nothing is known of it before. */
const OPEN_S = 20;
/** The smallest bucket is of four requests: with less, three processes that do not know each other's moments collide. */
const bucket = (limit: number, seconds: number, retryAfter: number | null) =>
  tokenBucket(limit, Math.max(4, seconds * limit), retryAfter);
const ONE = [1];
const THREE = [0.5, 0.3, 0.2];

let running: RateSimulation;

afterEach(() => {
  running.stop();
  vi.unstubAllGlobals();
});

/** What was accepted of a limit that came after a while without one, from some second after that on. */
async function meet(
  [demand, limit]: Meeting,
  processes: readonly number[],
  limiter: Limiter,
  [from, until]: readonly [number, number],
) {
  const calls = processes.map((share) => Math.round(share * 3.5 * demand));
  running = await RateSimulation.start({
    calls,
    limiter: changing([0, unlimited], [OPEN_S * 1_000, limiter]),
  });
  await running.until(OPEN_S + from);
  const { acceptedPerSecond, refusedShare } = await running.until(OPEN_S + until);
  return { accepted: acceptedPerSecond / limit, refusedShare };
}

const meetings: Meeting[] = [
  [120, 100],
  [200, 40],
  [230, 40],
  [300, 60],
  [200, 25],
  [30, 3],
  [1_000, 40],
  [1_000, 10],
  [2_000, 2],
];

describe.each([
  ['one process', ONE],
  ['three processes', THREE],
])('%s that meet a limit', (_, processes) => {
  describe.each(meetings)('%i/s down to %i/s', (...meeting) => {
    const [, limit] = meeting;

    it.each([null, 1, 2])('get 90 % from the second minute on (Retry-After: %s)', async (retryAfter) => {
      const figures = await meet(meeting, processes, bucket(limit, 0.1, retryAfter), [60, 300]);
      expect(figures.accepted).toBeGreaterThanOrEqual(0.9);
      // Of so few requests that several processes make, one 429 more is a hundredth.
      expect(figures.refusedShare).toBeLessThanOrEqual(limit < 3 && processes !== ONE ? 0.06 : 0.03);
    });

    // To find the limit takes some holds, of which one or the other falls into the second minute.
    it('get 90 % from the third minute on (Retry-After: 5)', async () => {
      const figures = await meet(meeting, processes, bucket(limit, 0.1, 5), [120, 600]);
      expect(figures.accepted).toBeGreaterThanOrEqual(0.9);
      expect(figures.refusedShare).toBeLessThanOrEqual(0.03);
    });
  });

  it.each(meetings)('get 90 % of a bucket of ten seconds (%i/s down to %i/s)', async (...meeting) => {
    const figures = await meet(meeting, processes, bucket(meeting[1], 10, 1), [60, 300]);
    expect(figures.accepted).toBeGreaterThanOrEqual(0.9);
    expect(figures.refusedShare).toBeLessThanOrEqual(0.03);
  });

  // Each step of the search costs half a minute.
  it('get 90 % of it in the long run where each 429 holds for 30 s', async () => {
    const figures = await meet([230, 40], processes, bucket(40, 0.1, 30), [600, 3_600]);
    expect(figures.accepted).toBeGreaterThanOrEqual(0.9);
    expect(figures.refusedShare).toBeLessThanOrEqual(0.03);
  });

  const windows: [string, Meeting, number, number | null][] = [
    ['a second, with Retry-After', [230, 40], 1_000, 1],
    ['a second', [230, 40], 1_000, null],
    ['a minute, with Retry-After', [300, 100], 60_000, 1],
    ['a minute', [300, 100], 60_000, null],
  ];

  // A window of a minute is known after two of them.
  it.each(windows)('get 90 % of a window of %s', async (_, meeting, windowMs, retryAfter) => {
    const limiter = fixedWindow((meeting[1] * windowMs) / 1_000, windowMs, retryAfter !== null);
    const figures = await meet(meeting, processes, limiter, windowMs === 1_000 ? [60, 300] : [180, 420]);
    expect(figures.accepted).toBeGreaterThanOrEqual(0.9);
    expect(figures.refusedShare).toBeLessThanOrEqual(0.03);
  });

  // Such a window is found anew after each time that it was used up: that looks as bursts of 429s do. One probe a second
  // waits for the next, which is a twentieth of what is accepted.
  it('get 90 % of a window of a minute, far below, at one probe a second', async () => {
    const figures = await meet([1_000, 20], processes, fixedWindow(1_200, 60_000), [180, 420]);
    expect(figures.accepted).toBeGreaterThanOrEqual(0.9);
    expect(figures.refusedShare).toBeLessThanOrEqual(0.08);
  });
});
