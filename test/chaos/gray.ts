import { between, type Random, type Scheduled, shuffled } from './schedule.ts';
import type { Trouble } from './trouble.ts';
import type { Window } from './windows.ts';

/** Troubles of something that half works: each lasts, and is drawn so often at full length as it has lengths. */
export interface GrayKind {
  draw: (random: Random, forMs: number) => Trouble;
  /** Of each turn, in milliseconds. */
  lengths: readonly Length[];
}

/** From, to. */
type Length = readonly [number, number];

/** So long that readiness must tell of it. */
const LONG: Length = [25_000, 29_000];
const SHORT: Length = [10_000, 12_000];
/** Longer than the half minute after which PolyAI's own 404 would count. */
const LONGEST: Length = [40_000, 44_000];
const BURST: Length = [5_000, 8_000];
/** What is done after one trouble of a part, before the next. */
const REST_MS = 1_500;
const PAGE = '<html><head><title>Error</title></head><body><center><h1>openresty</h1></center></body></html>';

export interface GrayKinds {
  postgres: GrayKind[];
  redis: GrayKind[];
  polyai: GrayKind[];
  processes: GrayKind[];
}

/** What is drawn at full length: each at least three times. */
export function grayKinds(workers: number): GrayKinds {
  return {
    postgres: ofPostgres([LONG, SHORT, SHORT]),
    redis: ofRedis([LONG, SHORT, SHORT]),
    polyai: [
      gateway(404, [LONGEST, SHORT, SHORT]),
      gateway(502, [LONG, SHORT, SHORT]),
      denial([LONGEST]),
      ...ofConnections([BURST, BURST, BURST]),
    ],
    processes: unread(workers, [LONG, SHORT, SHORT, SHORT]),
  };
}

/** What fits into a minute: each once, and too short for readiness to be late. */
export function briefGrayKinds(workers: number): GrayKinds {
  const brief: Length = [1_500, 2_500];
  return {
    postgres: ofPostgres([brief]),
    redis: ofRedis([brief]),
    polyai: [gateway(404, [brief]), gateway(502, [brief]), ...ofConnections([brief])],
    processes: unread(workers, [[3_000, 5_000]]),
  };
}

function ofPostgres(lengths: GrayKind['lengths']): GrayKind[] {
  return [
    { draw: (_, forMs) => ({ kind: 'postgres read-only', forMs }), lengths },
    { draw: (_, forMs) => ({ kind: 'fail over postgres', forMs }), lengths },
    { draw: (_, forMs) => ({ kind: 'lock table', forMs }), lengths },
  ];
}

function ofRedis(lengths: GrayKind['lengths']): GrayKind[] {
  return [
    { draw: (_, forMs) => ({ kind: 'redis refuses', by: 'OOM', forMs }), lengths },
    { draw: (_, forMs) => ({ kind: 'redis refuses', by: 'READONLY', forMs }), lengths },
  ];
}

function gateway(code: 404 | 502, lengths: GrayKind['lengths']): GrayKind {
  return { draw: (_, forMs) => ({ kind: 'gateway', code, body: PAGE, forMs }), lengths };
}

/** PolyAI itself says of every call that it does not know it. */
function denial(lengths: GrayKind['lengths']): GrayKind {
  const fault = { kind: 'status', code: 404 } as const;
  return { draw: (_, forMs) => ({ kind: 'polyai', fault, share: 1, forMs }), lengths };
}

function ofConnections(lengths: GrayKind['lengths']): GrayKind[] {
  return [
    { draw: (_, forMs) => ({ kind: 'burst of 429', forMs }), lengths },
    { draw: (_, forMs) => ({ kind: 'freeze connections', forMs }), lengths },
  ];
}

function unread(workers: number, lengths: GrayKind['lengths']): GrayKind[] {
  return [
    {
      draw: (random, forMs) => ({
        kind: 'stop reading log',
        worker: Math.floor(random() * workers),
        forMs,
      }),
      lengths,
    },
  ];
}

/** One after the other in the stretches, each kind once before any comes again. What finds no room is left out. */
export function packed(
  random: Random,
  stretches: readonly Window[],
  kinds: readonly GrayKind[],
): Scheduled[] {
  const free = stretches.map(({ from, until }) => ({ from, until }));
  return turnsOf(random, kinds).flatMap(({ draw, length }) => {
    const forMs = between(random, ...length);
    const stretch = free.find(({ from, until }) => until - from >= forMs);
    if (stretch === undefined) return [];
    const at = stretch.from;
    stretch.from += forMs + REST_MS;
    return [{ at, trouble: draw(random, forMs) }];
  });
}

function turnsOf(random: Random, kinds: readonly GrayKind[]) {
  const rounds = Math.max(...kinds.map(({ lengths }) => lengths.length));
  return Array.from({ length: rounds }, (_, round) =>
    shuffled(random, kinds).flatMap(({ draw, lengths }) => {
      const length = lengths[round];
      return length === undefined ? [] : [{ draw, length }];
    }),
  ).flat();
}
