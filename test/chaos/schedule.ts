import type { Fault as PolyAiFault } from '../../src/simulator/fault.ts';
import type { ShutdownMode } from './postgres.ts';

type Random = () => number;

/** Something to be done to the cluster. */
export type ClusterFault =
  | { kind: 'kill worker'; worker: number; awayMs: number }
  | { kind: 'stop worker'; worker: number; awayMs: number }
  | { kind: 'pause worker'; worker: number; forMs: number }
  | { kind: 'kill api'; awayMs: number }
  | { kind: 'flush redis' }
  | { kind: 'cut redis' }
  | { kind: 'redis away'; forMs: number }
  | { kind: 'restart postgres'; mode: ShutdownMode }
  | { kind: 'cut postgres' }
  | { kind: 'postgres away'; forMs: number };

/** Something to go wrong at PolyAI: for a share of its answers, or for so many answers of so many calls. */
export type PolyAiTrouble = { kind: 'polyai'; fault: PolyAiFault } & (
  | { share: number; forMs: number }
  | { calls: number; times: number }
);

export type Trouble = ClusterFault | PolyAiTrouble | { kind: 'refuse token'; forMs: number };

export interface Scheduled {
  /** Milliseconds since the start of the run. */
  at: number;
  trouble: Trouble;
}

export interface Stretch {
  from: number;
  until: number;
  everyMs: number;
}

/** Around a worker's awakening. */
const STALE_MS = 5_000;

type Draw = (random: Random) => Trouble;

/** Deals one trouble after another, each kind once before any comes again. */
export function dealer(random: Random, kinds: readonly Draw[]): () => Trouble {
  let deck: Draw[] = [];
  return () => {
    if (deck.length === 0) deck = shuffled(random, kinds);
    const draw = deck.pop();
    if (draw === undefined) throw new Error('no kinds of trouble to deal');
    return draw(random);
  };
}

export function schedule(
  random: Random,
  { from, until, everyMs }: Stretch,
  deal: () => Trouble,
): Scheduled[] {
  const scheduled: Scheduled[] = [];
  for (let at = from; at < until; at += everyMs * (0.6 + 0.8 * random())) {
    scheduled.push({ at: Math.floor(at), trouble: deal() });
  }
  return scheduled;
}

/**
 * A worker that goes on knows only what was. It does so before the calm, and is told more of what was, so that its
 * word is tried against the archive's.
 */
export function withAwakenings(scheduled: readonly Scheduled[], calmAt: number): Scheduled[] {
  return scheduled.flatMap<Scheduled>(({ at, trouble }) => {
    if (trouble.kind !== 'pause worker') return [{ at, trouble }];
    const pausedAt = Math.min(at, calmAt - trouble.forMs - STALE_MS);
    const stale: Trouble = { kind: 'polyai', fault: { kind: 'stale' }, share: 0.6, forMs: STALE_MS };
    return [
      { at: pausedAt, trouble },
      { at: pausedAt + trouble.forMs - 500, trouble: stale },
    ];
  });
}

/** After one of these a call may for a while be followed twice. */
export function unsettling(workers: number, pauses: boolean): Draw[] {
  const worker = (random: Random) => Math.floor(random() * workers);
  const kinds: Draw[] = [
    (random) => ({ kind: 'kill worker', worker: worker(random), awayMs: between(random, 1_000, 5_000) }),
    () => ({ kind: 'flush redis' }),
    () => ({ kind: 'cut redis' }),
    (random) => ({ kind: 'redis away', forMs: between(random, 1_000, 6_000) }),
  ];
  // Longer than lock and stalled check: when it goes on, others have long followed its calls.
  const pauseWorker: Draw = (random) => ({
    kind: 'pause worker',
    worker: worker(random),
    forMs: between(random, 40_000, 52_000),
  });
  return pauses ? [...kinds, pauseWorker] : kinds;
}

export function soothing(workers: number, postgresAwayMs: number): Draw[] {
  const restart =
    (mode: ShutdownMode): Draw =>
    () => ({ kind: 'restart postgres', mode });
  return [
    (random) => ({
      kind: 'stop worker',
      worker: Math.floor(random() * workers),
      awayMs: between(random, 500, 4_000),
    }),
    (random) => ({ kind: 'kill api', awayMs: between(random, 500, 3_000) }),
    (random) => ({ kind: 'postgres away', forMs: between(random, 1_000, postgresAwayMs) }),
    () => ({ kind: 'cut postgres' }),
    restart('fast'),
    restart('immediate'),
  ];
}

/** Each of the simulator's misbehaviours; those that show an older truth come more often. */
export function misbehaviours(pollTimeoutMs: number): Draw[] {
  const always: PolyAiFault[] = [
    { kind: 'stale' },
    { kind: 'stale' },
    { kind: 'stale' },
    { kind: 'delay', ms: pollTimeoutMs * 0.1 },
    { kind: 'delay', ms: pollTimeoutMs * 0.3 },
    { kind: 'delay', ms: pollTimeoutMs * 0.5 },
    { kind: 'delay', ms: pollTimeoutMs * 1.5 },
    { kind: 'hang' },
    { kind: 'slow-drip', everyMs: 3 },
    { kind: 'slow-drip', everyMs: 100 },
    { kind: 'reset' },
    { kind: 'cut' },
    { kind: 'html' },
    { kind: 'half-json' },
    { kind: 'no-status' },
    { kind: 'wrong-call-sid' },
    { kind: 'huge' },
    { kind: 'redirect' },
    { kind: 'gzip' },
    { kind: 'status', code: 500 },
    { kind: 'status', code: 408 },
    { kind: 'status', code: 404 },
    { kind: 'status', code: 429, retryAfter: '2' },
    { kind: 'status', code: 503, retryAfter: '1' },
  ];
  const shares = always.map(
    (fault): Draw =>
      (random) => ({
        kind: 'polyai',
        fault,
        share: 0.1 + random() * 0.6,
        forMs: between(random, 3_000, 8_000),
      }),
  );
  // Three of them in a row are PolyAI's word on a call, and rightly its end.
  const rejections: Draw = () => ({
    kind: 'polyai',
    fault: { kind: 'status', code: 400 },
    calls: 20,
    times: 2,
  });
  return [...shares, rejections];
}

export function between(random: Random, from: number, to: number): number {
  return Math.round(from + random() * (to - from));
}

export function shuffled<Item>(random: Random, items: readonly Item[]): Item[] {
  const keyed = items.map((item) => ({ item, key: random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}
