const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** How long after an attempt that failed the next one is made, as Standard Webhooks recommends it. */
const DELAYS_MS = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
];
/** What failed together is not tried again together. */
const JITTER = 0.1;
const LONGEST_HOLD_MS = 24 * HOUR;

/** Milliseconds from the n-th failed attempt, counted from 1, to the next one; null: that was the last. */
export function nextAttemptMs(
  attempts: number,
  retryAfterMs: number | null,
  random: () => number,
): number | null {
  const delay = DELAYS_MS[attempts - 1];
  if (delay === undefined) return null;
  return Math.max(delay * (1 - JITTER + 2 * JITTER * random()), holdMs(retryAfterMs) ?? 0);
}

/** How long a receiver is left alone that asked for it; null where it did not. */
export function holdMs(retryAfterMs: number | null): number | null {
  return retryAfterMs === null ? null : Math.min(retryAfterMs, LONGEST_HOLD_MS);
}

/** An endpoint that has had no success for so long is disabled. */
export const FAILING_AT_MOST_DAYS = 5;
