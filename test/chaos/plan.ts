import { seededRandom } from '../../src/simulator/random.ts';
import type { Settings } from './evidence.ts';
import { briefGrayKinds, grayKinds, packed } from './gray.ts';
import type { ReceiverManner } from './receivers.ts';
import { drawRegistrations, forgottenCalls, type PlannedRegistration } from './registrations.ts';
import {
  between,
  dealer,
  misbehaviours,
  outside,
  type Scheduled,
  schedule,
  scheduleWithin,
  soothing,
  unsettling,
  withAwakenings,
} from './schedule.ts';
import type { Window } from './windows.ts';

/** All that a seed decides. Times are milliseconds since the start of the run. */
export interface Plan {
  seed: number;
  workers: number;
  settings: Settings;
  registrations: PlannedRegistration[];
  troubles: Scheduled[];
  /** Calls that PolyAI forgets in the middle of their lives. */
  forgetting: { at: number; callSids: string[] };
  protocol: Protocol;
  receivers: ReceiverManner[];
  /** From then on nothing is done any more. */
  calmAt: number;
  /** Every call has ended at PolyAI, and is to be settled. */
  settledBy: number;
}

/** What PolyAI is asked over. */
export type Protocol = 'http' | 'https with h1' | 'https with h2';

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
/** Of what half works, some begins while the worker is paused: that excuses as much anyhow. */
const GRAY_FROM_MS = QUIET_MS + 2_000;
const GRAY_UNTIL_MS = QUIET_MS + PAUSE_MS - 3_000;
/** In the stretches without any other trouble at PolyAI each of its misbehaviours finds a place. */
const MISBEHAVIOURS = 30;
/** Longer than any call is out of sight while PolyAI says, for a while, that it knows none. */
const RETENTION_MS = 150_000;

export function longPlan({ seed, seconds, calls }: Scale): Plan {
  const random = seededRandom(seed);
  const totalMs = seconds * 1000;
  const calmAt = totalMs * (1 - CALM_SHARE);
  const workers = 3;
  const settings = { intervalMinMs: 500, intervalMaxMs: 1_500, pollTimeoutMs: 2_000, backoffMaxMs: 4_000 };
  const gray = grayTroubles(random, workers, calmAt);
  const polyai = outside({ from: QUIET_MS, until: calmAt - 8_000 }, gray.polyai);
  const everyMs = Math.min(6_000, polyai.reduce((sum, one) => sum + one.until - one.from, 0) / MISBEHAVIOURS);
  const misbehave = dealer(random, misbehaviours(settings.pollTimeoutMs));
  return {
    seed,
    workers,
    protocol: drawProtocol(random),
    receivers: drawReceivers(seed, calmAt),
    settings: {
      ...settings,
      leaseMs: LONG_LEASE_MS,
      overdueMs: 60_000,
      retentionMs: RETENTION_MS,
      notFoundGraceMs: 300_000,
    },
    ...placing(random, { seed, calls, totalMs, registeredBy: totalMs / 2, endedBy: totalMs * 0.8 }),
    troubles: [
      ...withAwakenings(
        [
          { at: QUIET_MS, trouble: { kind: 'pause worker', worker: 0, forMs: PAUSE_MS } },
          ...clusterTroubles(random, workers, calmAt),
        ],
        calmAt,
      ),
      ...gray.cluster,
      ...gray.polyai,
      ...polyai.flatMap((stretch) => scheduleWithin(random, { ...stretch, everyMs }, misbehave)),
      // All calls wait for the probe half a minute later.
      { at: between(random, calmAt * 0.4, calmAt * 0.8), trouble: { kind: 'refuse token', forMs: 3_000 } },
    ],
    calmAt,
    settledBy: totalMs,
  };
}

/** Which calls are placed when, and which of them PolyAI forgets in the middle of their lives. */
function placing(
  random: () => number,
  {
    seed,
    calls,
    totalMs,
    ...times
  }: { seed: number; calls: number; totalMs: number; registeredBy: number; endedBy: number },
): Pick<Plan, 'registrations' | 'forgetting'> {
  const forgotten = forgottenCalls(seed, calls);
  return {
    registrations: [
      { at: 1_000, calls: forgotten },
      ...drawRegistrations(random, { seed, calls: calls - forgotten.length, ...times }),
    ],
    forgetting: { at: totalMs * 0.3, callSids: forgotten.map(({ callSid }) => callSid) },
  };
}

/** Waves: a time of everything, then one in which no call should be followed twice. */
function wavesOf(calmAt: number): Wave[] {
  const waves = Math.max(1, Math.round(calmAt / 110_000));
  const waveMs = (calmAt - TROUBLED_FROM_MS) / waves;
  return Array.from({ length: waves }, (_, wave) => {
    const from = TROUBLED_FROM_MS + wave * waveMs;
    return { from, turn: from + waveMs * 0.65, until: from + waveMs };
  });
}

interface Wave extends Window {
  turn: number;
}

function clusterTroubles(random: () => number, workers: number, calmAt: number): Scheduled[] {
  const everything = dealer(random, [...unsettling(workers, true), ...soothing(workers, 8_000)]);
  const mild = dealer(random, soothing(workers, 8_000));
  return wavesOf(calmAt).flatMap(({ from, turn, until }) => [
    ...schedule(random, { from, until: turn, everyMs: (turn - from) / 11 }, everything),
    ...schedule(random, { from: turn, until, everyMs: 7_000 }, mild),
  ]);
}

/** What half works. Redis does so in times of everything alone, since a call may then be followed twice. */
function grayTroubles(random: () => number, workers: number, calmAt: number) {
  const kinds = grayKinds(workers);
  const early = { from: GRAY_FROM_MS, until: GRAY_UNTIL_MS };
  const troubled = [early, { from: TROUBLED_FROM_MS, until: calmAt }];
  const everything = wavesOf(calmAt).map(({ from, turn }) => ({ from, until: turn }));
  return {
    cluster: [
      ...packed(random, troubled, kinds.postgres),
      ...packed(random, [early, ...everything], kinds.redis),
      ...packed(random, troubled, kinds.processes),
    ],
    polyai: packed(random, troubled, kinds.polyai),
  };
}

/** By numbers of their own: what a seed draws else stays as it is. */
function drawReceivers(seed: number, calmAt: number): ReceiverManner[] {
  const random = seededRandom(seed + 2);
  return [
    { kind: 'dead', until: between(random, calmAt * 0.3, calmAt * 0.8) },
    { kind: 'failing', part: between(random, 0.05, 0.4) },
    { kind: 'slow', upToMs: between(random, 200, 2_000) },
  ];
}

function drawProtocol(random: () => number): Protocol {
  if (random() < 0.5) return 'http';
  return random() < 0.5 ? 'https with h1' : 'https with h2';
}

/** What fits into a minute: faults that take long to recover from come first. */
export function shortPlan({ seed, seconds, calls }: Scale): Plan {
  const random = seededRandom(seed);
  const totalMs = seconds * 1000;
  const workers = 2;
  const settings = { intervalMinMs: 300, intervalMaxMs: 900, pollTimeoutMs: 2_000, backoffMaxMs: 2_000 };
  const calmAt = totalMs * 0.6;
  const early = { from: 3_000, until: calmAt / 2, everyMs: 3_500 };
  const kinds = briefGrayKinds(workers);
  const grayPolyai = packed(random, [{ from: 2_000, until: calmAt }], kinds.polyai);
  const polyai = outside({ from: 2_000, until: calmAt }, grayPolyai);
  const misbehave = dealer(random, misbehaviours(settings.pollTimeoutMs));
  return {
    seed,
    workers,
    // A lease is shorter than a lock here: the calls of a killed worker are overdue until its locks end.
    protocol: drawProtocol(random),
    receivers: drawReceivers(seed, calmAt),
    settings: {
      ...settings,
      leaseMs: 10_000,
      overdueMs: 60_000,
      retentionMs: 30_000,
      notFoundGraceMs: 120_000,
    },
    ...placing(random, { seed, calls, totalMs, registeredBy: totalMs / 3, endedBy: totalMs * 0.7 }),
    troubles: [
      ...schedule(random, early, dealer(random, unsettling(workers, false))),
      ...schedule(
        random,
        { from: 4_000, until: calmAt, everyMs: 4_500 },
        dealer(random, soothing(workers, 3_000)),
      ),
      ...packed(random, [{ from: 3_000, until: calmAt }], kinds.postgres),
      ...packed(random, [{ from: 3_000, until: calmAt }], kinds.redis),
      ...packed(random, [{ from: 3_000, until: calmAt }], kinds.processes),
      ...grayPolyai,
      ...polyai.flatMap((stretch) => scheduleWithin(random, { ...stretch, everyMs: 1_000 }, misbehave)),
    ],
    calmAt,
    settledBy: totalMs,
  };
}
