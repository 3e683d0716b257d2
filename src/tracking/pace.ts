/** When to poll next. Pure: `random` gives numbers in [0, 1). All times in milliseconds. */

export interface PaceSettings {
  intervalMinMs: number;
  intervalMaxMs: number;
  backoffMaxMs: number;
}

const BACKOFF_FIRST_MS = 1_000;
const RETRY_AFTER_MAX_MS = 5 * 60_000;
/** Until then a status is young, and the fast end of the interval is used. */
const YOUNG_MS = 15_000;
/** No call need wait longer for its first poll, so that a registration is soon seen to work. */
const FIRST_POLL_WITHIN_MS = 1_000;

/** Calls registered or taken over together are spread out. */
export function firstPollDelay(settings: PaceSettings, random: () => number): number {
  return random() * Math.min(settings.intervalMinMs, FIRST_POLL_WITHIN_MS);
}

/** The delay after a successful poll: in [intervalMin, intervalMax], in its fast third while the status is young. */
export function nextPollDelay(statusAgeMs: number, settings: PaceSettings, random: () => number): number {
  const range = settings.intervalMaxMs - settings.intervalMinMs;
  const share = statusAgeMs < YOUNG_MS ? 1 / 3 : 1;
  return settings.intervalMinMs + random() * range * share;
}

/**
 * The delay after the n-th failed poll in a row: exponential with full jitter, as PolyAI's documentation advises.
 * A `Retry-After` is obeyed up to five minutes, with jitter on top so that calls told the same do not come together.
 */
export function backoffDelay(
  failures: number,
  retryAfterMs: number | null,
  settings: PaceSettings,
  random: () => number,
): number {
  const ceiling = Math.min(settings.backoffMaxMs, BACKOFF_FIRST_MS * 2 ** Math.max(0, failures - 1));
  const jittered = random() * ceiling;
  return retryAfterMs === null ? jittered : Math.min(retryAfterMs, RETRY_AFTER_MAX_MS) + jittered;
}

/** A lease, jittered by ±25 % so that calls taken over together are not handed back together. */
export function leaseLength(leaseMs: number, random: () => number): number {
  return leaseMs * (0.75 + random() * 0.5);
}
