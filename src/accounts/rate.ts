import { CUT_TO, type Cut, cubic, isDoubling, isGoodKnown } from './cubic.ts';

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
  grownMs: number | null;
  /** What was left, when reported, of the hold that PolyAI asked this process for, in milliseconds. */
  holdMs: number;
}

/** An account is asked at least so often, whatever PolyAI answers: else nobody would see that it answers again. */
export const FLOOR = 0.5;
/** So often it is asked while all is refused, or where nothing is known of what it accepts. */
export const PROBES = 1;
const FORGET_AFTER_MS = 60_000;

export const NEVER_CUT: RateState = { cuts: 0, good: PROBES, low: PROBES, grownMs: Number.POSITIVE_INFINITY };

/** Of all processes together. `max` is the configured rate, null: none. Infinity: no limit. */
export function rateOf(state: RateState, max: number | null): number {
  return Math.min(Math.max(FLOOR, cubic(state, state.grownMs)), max ?? Number.POSITIVE_INFINITY);
}

export function isForgotten({ grownMs }: RateState): boolean {
  return grownMs === Number.POSITIVE_INFINITY;
}

/** What is known at a 429: the rate then, and what was accepted, which is null where it could not be measured. */
export interface CutNews {
  /** The number of the new cut. */
  cuts: number;
  rate: number;
  accepted: number | null;
}

/** A 429 leaves most of what was accepted. */
export function cut(before: RateState, { cuts, rate, accepted }: CutNews): RateState {
  if (accepted === null) return cutUnmeasured(before, cuts, rate);
  const good = Math.max(Math.min(rate, accepted), FLOOR / CUT_TO);
  // A rate that doubles is ahead of what was measured: the limit lies between the two.
  const isAhead = !isForgotten(before) && isDoubling(before, before.grownMs);
  return { cuts, good: isAhead ? Math.max(good, rate) : good, low: CUT_TO * good, grownMs: 0 };
}

/**
 * So soon after the cut before that nothing was measured, half of the rate is left, and the last good one is what it
 * was. Where there was no limit, nothing is left but a probe, and the rate doubles from there.
 */
function cutUnmeasured({ good }: RateState, cuts: number, rate: number): RateState {
  if (rate === Number.POSITIVE_INFINITY) return { ...NEVER_CUT, cuts, grownMs: 0 };
  return { cuts, good: Math.max(good, rate), low: Math.max(FLOOR, rate / 2), grownMs: 0 };
}

/** When PolyAI accepts requests again after it refused them all: from what the cut had left. */
export function resumed(state: RateState): RateState {
  return { ...state, cuts: state.cuts + 1, grownMs: 0 };
}

/**
 * So much time later. The limit is forgotten when the configured rate is reached or, where there is none, when after a
 * minute the rate is more than twice what is asked, and so holds up nobody.
 */
export function grown(
  state: RateState,
  { ms, max, askedPerSecond }: { ms: number; max: number | null; askedPerSecond: number },
): RateState {
  const grownMs = state.grownMs + ms;
  const rate = cubic(state, grownMs);
  const isOver = max === null ? grownMs >= FORGET_AFTER_MS && rate > 2 * askedPerSecond : rate >= max;
  return { ...state, grownMs: isOver ? Number.POSITIVE_INFINITY : grownMs };
}

/** What two processes know together, whoever hears of the other first, and however often. */
export function merged(a: RateState, b: RateState): RateState {
  if (a.cuts !== b.cuts) return a.cuts > b.cuts ? a : b;
  return { ...betterCut(a, b), grownMs: Math.max(a.grownMs, b.grownMs) };
}

/** The one that knows of a good rate; of two, the lower. */
function betterCut(a: RateState, b: RateState): RateState {
  if (isGoodKnown(a) !== isGoodKnown(b)) return isGoodKnown(a) ? a : b;
  return a.low < b.low || (a.low === b.low && a.good <= b.good) ? a : b;
}

/** The part of the rate that is this process's: as its demand (requests waiting and asked) is to that of all. */
export function shareOf(rate: number, mine: number, others: readonly number[]): number {
  const own = Math.max(1, mine);
  return (rate * own) / others.reduce((sum, demand) => sum + demand, own);
}
