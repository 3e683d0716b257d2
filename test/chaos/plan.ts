import { seededRandom } from '../../src/simulator/random.ts';
import type { Settings } from './evidence.ts';
import { drawCall, type PlannedCall } from './lives.ts';
import {
  between,
  dealer,
  misbehaviours,
  type Scheduled,
  schedule,
  soothing,
  unsettling,
  withAwakenings,
} from './schedule.ts';

/** Calls that are placed and registered at one moment of the run. */
export interface PlannedRegistration {
  at: number;
  calls: PlannedCall[];
}

/** All that a seed decides. Times are milliseconds since the start of the run. */
export interface Plan {
  seed: number;
  workers: number;
  settings: Settings;
  registrations: PlannedRegistration[];
  troubles: Scheduled[];
  /** From then on nothing is done any more. */
  calmAt: number;
  /** Every call has ended at PolyAI, and is to be settled. */
  settledBy: number;
}

interface Scale {
  seed: number;
  seconds: number;
  calls: number;
}

const CALM_SHARE = 0.25;
/** So long that a worker which was paused past its locks wakes up with leases to go on with. */
const LONG_LEASE_MS = 120_000;
/** First all is well: what is wrong then has no excuse. */
const QUIET_MS = 20_000;
/** Then a worker is paused past its locks, and nothing else excuses what it does when it wakes up. */
const PAUSE_MS = 50_000;
const AWAKE_MS = 45_000;
const TROUBLED_FROM_MS = QUIET_MS + PAUSE_MS + AWAKE_MS;
const BATCH_MAX = 40;

export function longPlan({ seed, seconds, calls }: Scale): Plan {
  const random = seededRandom(seed);
  const totalMs = seconds * 1000;
  const calmAt = totalMs * (1 - CALM_SHARE);
  const workers = 3;
  const settings = { intervalMinMs: 500, intervalMaxMs: 1_500, pollTimeoutMs: 2_000, backoffMaxMs: 4_000 };
  const polyai = { from: QUIET_MS, until: calmAt - 8_000, everyMs: Math.min(6_000, totalMs / 80) };
  return {
    seed,
    workers,
    settings: { ...settings, leaseMs: LONG_LEASE_MS, overdueMs: 60_000 },
    registrations: drawRegistrations(random, {
      seed,
      calls,
      registeredBy: totalMs / 2,
      endedBy: totalMs * 0.8,
    }),
    troubles: [
      ...withAwakenings(
        [
          { at: QUIET_MS, trouble: { kind: 'pause worker', worker: 0, forMs: PAUSE_MS } },
          ...clusterTroubles(random, workers, calmAt),
        ],
        calmAt,
      ),
      ...schedule(random, polyai, dealer(random, misbehaviours(settings.pollTimeoutMs))),
      // All calls wait for the probe half a minute later.
      { at: between(random, calmAt * 0.4, calmAt * 0.8), trouble: { kind: 'refuse token', forMs: 3_000 } },
    ],
    calmAt,
    settledBy: totalMs,
  };
}

/** Waves: a time of everything, then one in which no call should be followed twice. */
function clusterTroubles(random: () => number, workers: number, calmAt: number): Scheduled[] {
  const waves = Math.max(1, Math.round(calmAt / 110_000));
  const waveMs = (calmAt - TROUBLED_FROM_MS) / waves;
  const everything = dealer(random, [...unsettling(workers, true), ...soothing(workers, 8_000)]);
  const mild = dealer(random, soothing(workers, 8_000));
  return Array.from({ length: waves }, (_, wave) => {
    const from = TROUBLED_FROM_MS + wave * waveMs;
    const turn = from + waveMs * 0.65;
    return [
      ...schedule(random, { from, until: turn, everyMs: (waveMs * 0.65) / 11 }, everything),
      ...schedule(random, { from: turn, until: from + waveMs, everyMs: 7_000 }, mild),
    ];
  }).flat();
}

/** What fits into a minute: faults that take long to recover from come first. */
export function shortPlan({ seed, seconds, calls }: Scale): Plan {
  const random = seededRandom(seed);
  const totalMs = seconds * 1000;
  const workers = 2;
  const settings = { intervalMinMs: 300, intervalMaxMs: 900, pollTimeoutMs: 2_000, backoffMaxMs: 2_000 };
  const calmAt = totalMs * 0.6;
  const early = { from: 3_000, until: calmAt / 2, everyMs: 3_500 };
  return {
    seed,
    workers,
    // A lease is shorter than a lock here: the calls of a killed worker are overdue until its locks end.
    settings: { ...settings, leaseMs: 10_000, overdueMs: 60_000 },
    registrations: drawRegistrations(random, {
      seed,
      calls,
      registeredBy: totalMs / 3,
      endedBy: totalMs * 0.7,
    }),
    troubles: [
      ...schedule(random, early, dealer(random, unsettling(workers, false))),
      ...schedule(
        random,
        { from: 4_000, until: calmAt, everyMs: 4_500 },
        dealer(random, soothing(workers, 3_000)),
      ),
      ...schedule(
        random,
        { from: 2_000, until: calmAt, everyMs: 1_500 },
        dealer(random, misbehaviours(settings.pollTimeoutMs)),
      ),
    ],
    calmAt,
    settledBy: totalMs,
  };
}

function drawRegistrations(
  random: () => number,
  {
    seed,
    calls,
    registeredBy,
    endedBy,
  }: { seed: number; calls: number; registeredBy: number; endedBy: number },
): PlannedRegistration[] {
  const registrations: PlannedRegistration[] = [];
  for (let placed = 0; placed < calls; ) {
    const size = random() < 0.6 ? 1 : between(random, 2, BATCH_MAX);
    const at = Math.round(1_000 + random() * (registeredBy - 1_000));
    const numbers = Array.from({ length: Math.min(size, calls - placed) }, (_, index) => placed + index);
    registrations.push({ at, calls: numbers.map((number) => drawCall(random, number, seed, endedBy - at)) });
    placed += numbers.length;
  }
  return registrations;
}
