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
}

/**
 * RFC 9438 has 0.7. A smaller cut costs less of the limit each time, and is enough: a limit counts requests, and has no
 * queue to drain as a network has.
 */
export const CUT_TO = 0.9;
/**
 * Time from the cut until the last good rate is reached. The RFC makes it depend on the rate, so that flows of
 * different speeds are fair to each other; here all processes have one rate. It is long because each 429 costs what
 * its `Retry-After` holds: a second, mostly.
 */
export const BACK_MS = 25_000;
/** So long after the cut the limit is not where it was: the curve ends, and the rate doubles again and again. */
const CURVE_MS = 2.5 * BACK_MS;
const DOUBLING_MS = 2_000;

/** The rate so long after a cut; Infinity after a time without end. */
export function cubic(cut: Cut, ms: number): number {
  const onCurveMs = Math.min(ms, curveMs(cut));
  const rate = cut.good + (cut.good - cut.low) * ((onCurveMs - BACK_MS) / BACK_MS) ** 3;
  return rate * 2 ** ((ms - onCurveMs) / DOUBLING_MS);
}

/** Whether the rate has left the curve so long after a cut. */
export function isDoubling(cut: Cut, ms: number): boolean {
  return ms > curveMs(cut);
}

/** Whether there was a good rate to grow back to. */
export function isGoodKnown({ good, low }: Cut): boolean {
  return low < good;
}

function curveMs(cut: Cut): number {
  return isGoodKnown(cut) ? CURVE_MS : 0;
}
