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
 * The delay after the n-th failed poll in a row: exponential with full jitter, as PolyAI's documentation advises, and
 * once it has grown to the maximum just that, so that an outage costs one poll per call and maximum; by then the calls
 * are spread over it. A `Retry-After` is obeyed up to five minutes, and the delay comes on top, so that calls told the
 * same do not come together.
 */
export function backoffDelay(
  failures: number,
  retryAfterMs: number | null,
  settings: PaceSettings,
  random: () => number,
): number {
  const ceiling = ceilingOf(failures, settings);
  const isSpread = failures > 1 && ceilingOf(failures - 1, settings) === settings.backoffMaxMs;
  const delay = isSpread ? ceiling : random() * ceiling;
  return retryAfterMs === null ? delay : Math.min(retryAfterMs, RETRY_AFTER_MAX_MS) + delay;
}

/** A lease, jittered by ±25 % so that calls taken over together are not handed back together. */
export function leaseLength(leaseMs: number, random: () => number): number {
  return leaseMs * (0.75 + random() * 0.5);
}

/** No promise to follow a call is for longer: what says so was made under another clock. */
export function longestPromise(settings: PaceSettings & { leaseMs: number; pollTimeoutMs: number }): number {
  return (
    2 * settings.leaseMs +
    settings.intervalMaxMs +
    settings.pollTimeoutMs +
    RETRY_AFTER_MAX_MS +
    settings.backoffMaxMs
  );
}

function ceilingOf(failures: number, { backoffMaxMs }: PaceSettings): number {
  return Math.min(backoffMaxMs, BACKOFF_FIRST_MS * 2 ** Math.max(0, failures - 1));
}
