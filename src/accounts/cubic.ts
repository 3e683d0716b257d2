/**
 * How a rate grows back after a cut: by CUBIC (RFC 9438, 4.2), as TCP and the adaptive retries of the AWS SDKs do. It
 * climbs fast to near the last good rate, stays about there, and then looks further, ever faster: most of the time
 * goes by near the limit. Pure; rates in requests per second.
 */

export interface Cut {
  /** The last good rate: what was accepted before the cut. */
  readonly good: number;
  /** What the cut left of it. Where it is no less than `good`, no good rate is known. */
  readonly low: number;
  /** Time from the cut until the last good rate is reached. */
  readonly backMs: number;
}

/**
 * RFC 9438 has 0.7. A smaller cut costs less of the limit each time, and is enough: a limit counts requests, and has no
 * queue to drain as a network has.
 */
export const CUT_TO = 0.9;
/** The way back where a 429 costs nothing, and the pace at which the rate looks further, whatever it costs. */
const BACK_MS = 25_000;
/**
 * The way back is so many times longer than what a 429 costs. About its end comes the next 429, which costs as much: so
 * that takes no more than a twentieth of the time.
 */
const BACK_PER_COST = 20;
/** A longer hold counts as this, or a limit that is gone would be kept to for an hour. */
const LONGEST_HOLD_MS = 60_000;
/** So long after the way back the limit is not where it was: the curve ends, and the rate doubles again and again. */
const FURTHER_MS = 1.5 * BACK_MS;
const DOUBLING_MS = 2_000;

/**
 * Time until the last good rate is reached again. The RFC makes it depend on the rate, so that flows of different speeds
 * are fair to each other; here all processes have one rate, and what counts is what the next 429 costs: the hold that it
 * asks for, and its own place.
 */
export function wayBackMs(holdMs: number, good: number): number {
  return BACK_MS + BACK_PER_COST * (Math.min(holdMs, LONGEST_HOLD_MS) + 1_000 / good);
}

/** The rate so long after a cut; Infinity after a time without end. */
export function cubic(cut: Cut, ms: number): number {
  const { good, low, backMs } = cut;
  const onCurveMs = Math.min(ms, curveMs(cut));
  const fromGoodMs = onCurveMs - backMs;
  const rate = good + (good - low) * (fromGoodMs / (fromGoodMs < 0 ? backMs : BACK_MS)) ** 3;
  return rate * 2 ** ((ms - onCurveMs) / DOUBLING_MS);
}

/** Whether the rate has left the curve so long after a cut. */
export function isDoubling(cut: Cut, ms: number): boolean {
  return ms > curveMs(cut);
}

/** Whether there was a good rate to grow back to. */
export function isGoodKnown({ good, low }: Pick<Cut, 'good' | 'low'>): boolean {
  return low < good;
}

function curveMs(cut: Cut): number {
  return isGoodKnown(cut) ? cut.backMs + FURTHER_MS : 0;
}
