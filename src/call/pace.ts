/** When to poll next. Pure: `random` gives numbers in [0, 1). All times in milliseconds. */

export interface PaceSettings {
  intervalMinMs: number;
  intervalMaxMs: number;
  backoffMaxMs: number;
}

const BACKOFF_FIRST_MS = 1_000;
/** A status is young for so long; until then calls are polled in the fast third of the interval. */
const YOUNG_MS = 15_000;
/** The first poll of a call comes within this time, so that a registration is soon seen to work. */
const FIRST_POLL_WITHIN_MS = 1_000;
/** So many first polls a second may come at once, each by itself: a trickle of new calls is no crowd. */
const NEWCOMERS_PER_SECOND = 100;

/**
 * The delays before first polls. A call that comes alone is polled at once. Calls that come together are spread by
 * chance, the more of them the further, so that they are not polled together: PolyAI may have a limit that nobody knows
 * yet. From a hundred on (a campaign, or all calls after a restart) they are spread over the whole time.
 */
export class Newcomers {
  readonly #random: () => number;
  /** Those of the last second. Each time they are fewer by those that there may be since. */
  #crowd = 0;
  #at = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Counts one that comes at `now`, in monotonic milliseconds. */
  firstPollDelay(now: number, { intervalMinMs }: Pick<PaceSettings, 'intervalMinMs'>): number {
    const gone = ((now - this.#at) / 1_000) * NEWCOMERS_PER_SECOND;
    const before = Math.max(0, this.#crowd - gone);
    this.#at = now;
    this.#crowd = Math.min(before + 1, NEWCOMERS_PER_SECOND);
    const spreadMs = (before / NEWCOMERS_PER_SECOND) * FIRST_POLL_WITHIN_MS;
    return this.#random() * Math.min(spreadMs, intervalMinMs);
  }
}

/**
 * The delay after a successful poll: in [intervalMin, intervalMax], and in its fast third while the status is young.
 */
export function nextPollDelay(statusAgeMs: number, settings: PaceSettings, random: () => number): number {
  const range = settings.intervalMaxMs - settings.intervalMinMs;
  const share = statusAgeMs < YOUNG_MS ? 1 / 3 : 1;
  return settings.intervalMinMs + random() * range * share;
}

/**
 * The delay after the n-th failed poll in a row. It grows exponentially with full jitter, as PolyAI's documentation
 * advises. Once its ceiling has reached `backoffMaxMs` it is always that: the jitter before has spread the calls, and
 * an outage costs each call one poll per `backoffMaxMs`. A `Retry-After` is obeyed up to that time, and no call is ever
 * put off for longer: who asked to wait may be a gateway that is gone by then, and PolyAI forgets calls. The delay is
 * added to it, so that calls with the same `Retry-After` are not polled together.
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
  return retryAfterMs === null ? delay : Math.min(retryAfterMs + delay, settings.backoffMaxMs);
}

/** The length of one lease: `leaseMs` ± 25 %, so that calls that are taken up together are not handed back together. */
export function leaseLength(leaseMs: number, random: () => number): number {
  return leaseMs * (0.75 + random() * 0.5);
}

/** The longest that a promise to follow a call can be for. One for longer was made when Postgres' clock was wrong. */
export function longestPromise(settings: PaceSettings & { leaseMs: number; pollTimeoutMs: number }): number {
  return 2 * settings.leaseMs + settings.intervalMaxMs + settings.pollTimeoutMs + settings.backoffMaxMs;
}

function ceilingOf(failures: number, { backoffMaxMs }: PaceSettings): number {
  return Math.min(backoffMaxMs, BACKOFF_FIRST_MS * 2 ** Math.max(0, failures - 1));
}
