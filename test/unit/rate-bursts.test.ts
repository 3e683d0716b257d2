import { afterEach, describe, expect, it, vi } from 'vitest';
import type { PaceSettings } from '../../src/call/pace.ts';
import { seededRandom } from '../../src/simulator/random.ts';
import { changing, flaky, type Limiter, refusing, unlimited } from '../support/limiters.ts';
import { RateSimulation } from '../support/rate-simulation.ts';

/** What refuses from some second on, for so many. */
type Burst = readonly [from: number, seconds: number, limiter: Limiter];

interface Demand {
  calls: readonly number[];
  pace?: PaceSettings;
  /** Polls per second, without any limit. */
  polls: number;
  /** Those that are tried. */
  retryAfters?: readonly (number | null)[];
}

/** So long after the last burst nine of ten polls go through again. */
const WITHIN_S = 30;
/** As docs/architecture.md has it. */
const LONGEST_GAP_MS = 35_000;
/** That of the short chaos run: what is due there waits for the account alone. */
const FAST: PaceSettings = { intervalMinMs: 300, intervalMaxMs: 900, backoffMaxMs: 2_000 };

const demands: [string, Demand][] = [
  ['300 fast calls in one process', { calls: [300], pace: FAST, polls: 460 }],
  ['300 fast calls in four processes', { calls: [120, 80, 60, 40], pace: FAST, polls: 460 }],
  ['2,000 calls in one process', { calls: [2_000], polls: 570 }],
  ['2,000 calls in three processes', { calls: [1_000, 600, 400], polls: 570 }],
  ['20,000 calls in one process', { calls: [20_000], polls: 5_700, retryAfters: [2] }],
];

let running: RateSimulation;

afterEach(() => {
  running.stop();
  vi.unstubAllGlobals();
});

/** The demand that is met again in the last ten of the seconds that are allowed, and the longest gap until then. */
async function after(bursts: readonly Burst[], { calls, pace, polls }: Demand) {
  const phases = bursts.flatMap(([from, seconds, limiter]) => [
    [from * 1_000, limiter] as const,
    [(from + seconds) * 1_000, unlimited] as const,
  ]);
  running = await RateSimulation.start({
    ...{ calls, limiter: changing(...phases) },
    ...(pace === undefined ? {} : { pace }),
  });
  const [from, seconds] = bursts.at(-1) ?? [0, 0];
  const end = from + seconds;
  const during = await running.until(end + WITHIN_S - 10);
  const { acceptedPerSecond, longestGapMs } = await running.until(end + WITHIN_S);
  return { met: acceptedPerSecond / polls, longestGapMs: Math.max(during.longestGapMs, longestGapMs) };
}

const partial = (share: number, retryAfter: number | null) => flaky(share, retryAfter, seededRandom(1));

/** Each with its name. */
function scenarios(retryAfter: number | null): [string, Burst[]][] {
  const all = refusing(retryAfter);
  return [
    ['1 s of nothing but 429', [[20, 1, all]]],
    ['5 s of nothing but 429', [[20, 5, all]]],
    ...[3, 10, 30].map((apart): [string, Burst[]] => [
      `two bursts of 3 s, ${apart} s apart`,
      [
        [20, 3, all],
        [23 + apart, 3, all],
      ],
    ]),
    ['5 s of 429 for a third', [[20, 5, partial(0.36, retryAfter)]]],
    [
      'a burst of all, and of a third soon after',
      [
        [20, 3, all],
        [30, 5, partial(0.36, retryAfter)],
      ],
    ],
    [
      'bursts of a third, a half and all',
      [
        [10, 2, partial(0.33, retryAfter)],
        [20, 5, partial(0.5, retryAfter)],
        [32, 3, all],
      ],
    ],
  ];
}

describe.each(demands)('%s', (_, demand) => {
  describe.each(demand.retryAfters ?? [null, 1, 2])('with Retry-After: %s', (retryAfter) => {
    it.each(scenarios(retryAfter))('are polled again soon after %s', async (_, bursts) => {
      const { met, longestGapMs } = await after(bursts, demand);
      expect(met).toBeGreaterThanOrEqual(0.9);
      expect(longestGapMs).toBeLessThanOrEqual(LONGEST_GAP_MS);
    });
  });
});
