import { CUT_TO, type Cut, cubic, isDoubling, isGoodKnown, wayBackMs } from './cubic.ts';

/**
 * The limit of an account as it was found, and what becomes of it. Pure; rates in requests per second.
 *
 * The processes of an account find it together. Cuts are numbered: a process that cuts takes the number after the
 * highest it knows, and the highest number is the last word. Where two processes cut at the same time, their numbers
 * are the same, and both keep the lower rate: one burst of 429s is one cut, however many processes it hits.
 */
export interface RateState extends Cut {
  /** The number of the last cut; 0: there was none. */
  readonly cuts: number;
  /** The time since, as far as the rate grew in it; Infinity: the limit is forgotten. */
  readonly grownMs: number;
}

/** What one process tells the others of an account. */
export interface RateReport {
  process: string;
  /** Another with each report. */
  seq: number;
  waiting: number;
  /** Requests in the last tick. */
  asked: number;
  /** Requests per second that were accepted in the last tick; null where it is no measure, as with a hold in it. */
  accepted: number | null;
  /** As `RateState` has these; but of a limit that is forgotten `grownMs` is null. */
  cuts: number;
  good: number;
  low: number;
  backMs: number;
  grownMs: number | null;
  /** What was left, when reported, of the hold that PolyAI asked this process for, in milliseconds. */
  holdMs: number;
}

/** An account is asked at least so often, whatever PolyAI answers: else nobody would see that it answers again. */
export const FLOOR = 0.5;
/** So often it is asked while all is refused, or where nothing is known of what it accepts. */
export const PROBES = 1;
const FORGET_AFTER_MS = 60_000;
/** A count of a second may miss one request that was to be had: where two are accepted, that would be half. */
const COUNT_MISSES = 1;

export const NEVER_CUT: RateState = {
  ...{ cuts: 0, good: PROBES, low: PROBES },
  ...{ backMs: wayBackMs(0, PROBES), grownMs: Number.POSITIVE_INFINITY },
};

/** Of all processes together. `max` is the configured rate, null: none. Infinity: no limit. */
export function rateOf(state: RateState, max: number | null): number {
  return Math.min(Math.max(FLOOR, cubic(state, state.grownMs)), max ?? Number.POSITIVE_INFINITY);
}

export function isForgotten({ grownMs }: RateState): boolean {
  return grownMs === Number.POSITIVE_INFINITY;
}

/** What is known at a 429. */
export interface CutNews {
  /** The number of the new cut. */
  cuts: number;
  /** The rate until then. */
  rate: number;
  /** What was accepted; null where it could not be measured. */
  accepted: number | null;
  /** What was accepted since the cut before, on the whole, holds and refusals included. */
  mean: number;
  /** What the 429 asked for. */
  holdMs: number;
}

/** A 429 leaves most of what was accepted. */
export function cut(before: RateState, { cuts, rate, accepted, mean, holdMs }: CutNews): RateState {
  // So soon after the cut before that nothing was measured, the limit may be anywhere below. The rate doubles from where
  // PolyAI can follow until the next 429, and is measured meanwhile: however low the limit is, that takes but a few holds.
  if (accepted === null) {
    const low = Math.min(rate, Math.max(PROBES, mean));
    return { ...NEVER_CUT, cuts, good: low, low, grownMs: 0 };
  }
  // A rate that doubles is ahead of what was measured: the limit lies between the two.
  const isAhead = !isForgotten(before) && isDoubling(before, before.grownMs);
  const measured = Math.min(rate, isAhead ? accepted : accepted + COUNT_MISSES);
  const kept = Math.max(measured, FLOOR / CUT_TO);
  const good = isAhead ? Math.max(kept, rate) : kept;
  return { cuts, good, low: CUT_TO * kept, backMs: wayBackMs(holdMs, good), grownMs: 0 };
}

/**
 * When PolyAI accepts requests again after it refused them all: from what the cut had left, but no more than was
 * accepted on the whole since the last such time, which is given; null: there was none. A limit of so many requests per
 * minute refuses all until the minute is over, again and again, unless that is the rate.
 */
export function resumed(state: RateState, accepted: number | null): RateState {
  const next = { ...state, cuts: state.cuts + 1, grownMs: 0 };
  if (accepted === null || accepted >= state.low) return next;
  const good = Math.max(accepted, FLOOR / CUT_TO);
  return good < state.low ? { ...next, good, low: CUT_TO * good } : next;
}

/**
 * So much time later. The limit is forgotten when after a minute the rate is the configured one or, where there is none,
 * more than twice what is wanted, and so holds up nobody.
 */
export function grown(
  state: RateState,
  { ms, max, wanted }: { ms: number; max: number | null; wanted: number },
): RateState {
  const grownMs = state.grownMs + ms;
  const rate = cubic(state, grownMs);
  const isOver = grownMs >= FORGET_AFTER_MS && (max === null ? rate > 2 * wanted : rate >= max);
  return { ...state, grownMs: isOver ? Number.POSITIVE_INFINITY : grownMs };
}

/** What two processes know together, whoever hears of the other first, and however often. */
export function merged(a: RateState, b: RateState): RateState {
  if (a.cuts !== b.cuts) return a.cuts > b.cuts ? a : b;
  return { ...betterCut(a, b), grownMs: Math.max(a.grownMs, b.grownMs) };
}

/** The one that knows of a good rate; of two, the lower, and then the one that takes longer. */
function betterCut(a: RateState, b: RateState): RateState {
  if (isGoodKnown(a) !== isGoodKnown(b)) return isGoodKnown(a) ? a : b;
  return (a.low - b.low || a.good - b.good || b.backMs - a.backMs) <= 0 ? a : b;
}

/** The part of the rate that is this process's: as its demand (requests waiting and asked) is to that of all. */
export function shareOf(rate: number, mine: number, others: readonly number[]): number {
  const own = Math.max(1, mine);
  return (rate * own) / others.reduce((sum, demand) => sum + demand, own);
}
