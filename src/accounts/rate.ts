import {
  CUT_TO,
  type Cut,
  cubic,
  firstBackMs,
  isDoubling,
  isGoodKnown,
  nextBackMs,
  OPEN_BACK_MS,
} from './cubic.ts';

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
/** A count of a second may miss one request that was to be had: where two are accepted, that would be half. */
const COUNT_MISSES = 1;

export const NEVER_CUT: RateState = {
  ...{ cuts: 0, good: PROBES, low: PROBES },
  ...{ backMs: firstBackMs(), grownMs: Number.POSITIVE_INFINITY },
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

/** A 429 leaves most of what was accepted. What is gone back to lies between that and the rate, as the limit does. */
export function cut(before: RateState, news: CutNews): RateState {
  const { cuts, rate, accepted, holdMs } = news;
  if (accepted === null) return cutUnmeasured(before, news);
  const measured = Math.min(rate, accepted + COUNT_MISSES);
  const kept = Math.max(measured, FLOOR / CUT_TO);
  // Without a limit the rate tells nothing.
  const good = isForgotten(before) ? kept : Math.max(kept, Math.sqrt(kept * rate));
  return { cuts, good, low: CUT_TO * kept, backMs: backMsOf(before, { measured, good, holdMs }), grownMs: 0 };
}

/** What was accepted where no limit was known may be no more than was asked: so it is not kept to for long. */
function backMsOf(
  before: RateState,
  { measured, good, holdMs }: { measured: number; good: number; holdMs: number },
) {
  if (isForgotten(before)) return OPEN_BACK_MS;
  return isWhereItWas(before, measured) ? nextBackMs(before.backMs, holdMs, good) : firstBackMs();
}

/**
 * So soon after the cut before that nothing was measured, the limit may be anywhere below, or refuse at any rate. So
 * what is left is what was accepted on the whole, and a probe at least; and from there it is back soon to what was good
 * before, or doubles. Meanwhile it is measured, and however low the limit is, that takes but a few holds.
 */
function cutUnmeasured(before: RateState, { cuts, rate, mean }: CutNews): RateState {
  const low = Math.min(rate, Math.max(PROBES, mean));
  const good = isGoodKnown(before) && !isForgotten(before) ? Math.max(low, before.good) : low;
  return { cuts, good, low, backMs: firstBackMs(), grownMs: 0 };
}

/** Whether a limit was met again where it was, which a burst of 429s is not: of whatever is left, it refuses its part. */
function isWhereItWas(before: RateState, measured: number): boolean {
  const isKnown = isGoodKnown(before) && !isDoubling(before, before.grownMs);
  return isKnown && measured >= CUT_TO * before.good && measured <= before.good / CUT_TO;
}

/**
 * When PolyAI accepts requests again after it refused them all for so long: from what the cut had left, but no more than
 * was accepted on the whole since the last such time, which is given; null: there was none. A limit of so many requests
 * per minute refuses all until the minute is over, again and again, unless that is the rate. But so do bursts: hence the
 * rate stays there no longer than the refusal was long.
 */
export function resumed(state: RateState, accepted: number | null, refusedMs: number): RateState {
  const next = { ...state, cuts: state.cuts + 1, backMs: firstBackMs(), grownMs: 0 };
  const low = Math.max(accepted ?? Number.POSITIVE_INFINITY, FLOOR);
  if (low >= state.low) return next;
  return { ...next, good: low / CUT_TO, low, backMs: firstBackMs(refusedMs) };
}

/**
 * So much time later. The limit is forgotten when it is not where it was, and the rate is the configured one or, where
 * there is none, more than twice what is wanted, and so holds up nobody.
 */
export function grown(
  state: RateState,
  { ms, max, wanted }: { ms: number; max: number | null; wanted: number },
): RateState {
  const grownMs = state.grownMs + ms;
  const rate = cubic(state, grownMs);
  const isOver = isDoubling(state, grownMs) && (max === null ? rate > 2 * wanted : rate >= max);
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
