/**
 * How a rate grows back after a cut: by CUBIC (RFC 9438, 4.2), as TCP and the adaptive retries of the AWS SDKs do. It
 * climbs fast to near the last good rate, stays about there, and then looks further, ever faster: most of the time
 * goes by near the limit. Pure; rates in requests per second.
 */

export interface Cut {
  /** The last good rate: what is gone back to first. */
  readonly good: number;
  /** What the cut left of it. Where it is no less than `good`, no good rate is known. */
  readonly low: number;
  /** Time until the last good rate is reached, once the rate grows. */
  readonly backMs: number;
}

/**
 * RFC 9438 has 0.7. A smaller cut costs less of the limit each time, and is enough: a limit counts requests, and has no
 * queue to drain as a network has.
 */
export const CUT_TO = 0.9;
/** After a cut the rate stays for two ticks: what PolyAI accepts of it is measured before the next 429 can come. */
const FLAT_MS = 2_000;
/**
 * The way back where nothing shows yet that the limit is there. A burst of 429s looks like a limit, too: its cause gone,
 * what was asked before is asked again after a quarter of a minute.
 */
const FIRST_BACK_MS = 5_000;
/** Where no limit was known before, a 429 says the less: the rate doubles 7 s after it. */
export const OPEN_BACK_MS = 2_000;
/** So much longer is the way back each time that the limit is met where it was. */
const LONGER = 3;
/** The longest, where a 429 costs nothing. */
const LONG_BACK_MS = 25_000;
/** And where it costs: so many times that. About its end comes the next 429, so that takes a twentieth of the time. */
const BACK_PER_COST = 20;
/** A longer hold counts as this, or a limit that is gone would be kept to for an hour. */
const LONGEST_HOLD_MS = 60_000;
/** So many ways back later the limit is not where it was: the curve ends, and the rate doubles again and again. */
const FURTHER = 1.5;
/** 20,000 calls ask for 5,700 per second: from one per second that is reached in 13 s. */
const DOUBLING_MS = 1_000;

/** The way back to a rate that was good for one reason or the other, and refused for so long. */
export function firstBackMs(refusedMs = 0): number {
  return Math.max(FIRST_BACK_MS, refusedMs);
}

/**
 * The way back to a limit that was met again after such a way. The RFC makes it depend on the rate, so that flows of
 * different speeds are fair to each other; here all processes have one rate, and what counts is what the next 429 costs:
 * the hold that it asks for, and its own place.
 */
export function nextBackMs(backMs: number, holdMs: number, good: number): number {
  const cost = Math.min(holdMs, LONGEST_HOLD_MS) + 1_000 / good;
  return Math.min(LONGER * backMs, LONG_BACK_MS + BACK_PER_COST * cost);
}

/** The rate so long after a cut; Infinity after a time without end. */
export function cubic(cut: Cut, ms: number): number {
  const { good, low, backMs } = cut;
  const grownMs = Math.max(0, ms - FLAT_MS);
  const onCurveMs = Math.min(grownMs, curveMs(cut));
  const fromGoodMs = onCurveMs - backMs;
  const rate = good + (good - low) * (fromGoodMs / (fromGoodMs < 0 ? backMs : furtherMs(cut))) ** 3;
  return rate * 2 ** ((grownMs - onCurveMs) / DOUBLING_MS);
}

/** Whether the rate has left the curve so long after a cut. */
export function isDoubling(cut: Cut, ms: number): boolean {
  return ms > FLAT_MS + curveMs(cut);
}

/** Whether there was a good rate to grow back to. */
export function isGoodKnown({ good, low }: Pick<Cut, 'good' | 'low'>): boolean {
  return low < good;
}

function curveMs(cut: Cut): number {
  return isGoodKnown(cut) ? cut.backMs + FURTHER * furtherMs(cut) : 0;
}

/** The rate looks further as fast as it came back, and no slower for what a 429 costs. */
function furtherMs({ backMs }: Cut): number {
  return Math.min(backMs, LONG_BACK_MS);
}
