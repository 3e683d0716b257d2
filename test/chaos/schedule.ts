import type { Fault as PolyAiFault } from '../../src/simulator/fault.ts';
import type { ShutdownMode } from './postgres.ts';
import type { Trouble } from './trouble.ts';
import type { Window } from './windows.ts';

export type Random = () => number;

export interface Scheduled {
  /** Milliseconds since the start of the run. */
  at: number;
  trouble: Trouble;
}

export interface Stretch extends Window {
  everyMs: number;
}

/** For anything to go wrong in. */
const SHORTEST_MS = 2_000;
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

/** The same, with each trouble over when its stretch is. */
export function scheduleWithin(random: Random, stretch: Stretch, deal: () => Trouble): Scheduled[] {
  return schedule(random, stretch, deal).map(({ at, trouble }) =>
    'forMs' in trouble
      ? { at, trouble: { ...trouble, forMs: Math.min(trouble.forMs, Math.floor(stretch.until - at)) } }
      : { at, trouble },
  );
}

/** What is left of a stretch outside of the troubles that last. */
export function outside({ from, until }: Window, troubles: readonly Scheduled[]): Window[] {
  const left: Window[] = [];
  let reached = from;
  for (const { at, trouble } of troubles.toSorted((a, b) => a.at - b.at)) {
    const forMs = 'forMs' in trouble ? trouble.forMs : 0;
    if (at > reached) left.push({ from: reached, until: Math.min(at, until) });
    reached = Math.max(reached, at + forMs);
  }
  if (reached < until) left.push({ from: reached, until });
  return left.filter((one) => one.until - one.from >= SHORTEST_MS);
}

export function between(random: Random, from: number, to: number): number {
  return Math.round(from + random() * (to - from));
}

export function shuffled<Item>(random: Random, items: readonly Item[]): Item[] {
  const keyed = items.map((item) => ({ item, key: random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}
