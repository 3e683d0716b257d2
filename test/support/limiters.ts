/** A server's limit: whether it takes one more request now, in milliseconds. */
export interface Limiter {
  allows(now: number): boolean;
  /** `Retry-After` of its 429, in milliseconds; null without. */
  retryAfterMs(now: number): number | null;
}

/** Seconds, as most servers say it; or none. */
type RetryAfter = number | null;

export function tokenBucket(perSecond: number, capacity: number, retryAfter: RetryAfter = null): Limiter {
  let tokens = capacity;
  let filledAt = 0;
  return {
    allows(now) {
      tokens = Math.min(capacity, tokens + ((now - filledAt) * perSecond) / 1_000);
      filledAt = now;
      if (tokens < 1) return false;
      tokens--;
      return true;
    },
    retryAfterMs: () => (retryAfter === null ? null : retryAfter * 1_000),
  };
}

/** So many in each window; `tells`: it says in how many whole seconds the next one begins. */
export function fixedWindow(requests: number, windowMs: number, tells = false): Limiter {
  let window = 0;
  let taken = 0;
  return {
    allows(now) {
      const current = Math.floor(now / windowMs);
      if (current !== window) taken = 0;
      window = current;
      return taken++ < requests;
    },
    retryAfterMs: (now) => (tells ? Math.ceil((windowMs - (now % windowMs)) / 1_000) * 1_000 : null),
  };
}

export const unlimited: Limiter = { allows: () => true, retryAfterMs: () => null };

export function refusing(retryAfter: RetryAfter): Limiter {
  return { allows: () => false, retryAfterMs: () => (retryAfter === null ? null : retryAfter * 1_000) };
}

/** Refuses such a share of the requests by chance, whatever the rate. */
export function flaky(share: number, retryAfter: RetryAfter, random: () => number): Limiter {
  return { ...refusing(retryAfter), allows: () => random() >= share };
}

/** One limiter after the other, each from its time on. */
export function changing(...phases: readonly (readonly [fromMs: number, limiter: Limiter])[]): Limiter {
  const at = (now: number) => phases.findLast(([fromMs]) => fromMs <= now)?.[1] ?? unlimited;
  return { allows: (now) => at(now).allows(now), retryAfterMs: (now) => at(now).retryAfterMs(now) };
}
