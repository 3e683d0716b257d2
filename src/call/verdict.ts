import type { Outcome } from './call.ts';

/** Why a poll brought no status.
 *
 * - `not_found`: 404, a call that PolyAI does not know, or no longer
 * - `rejected`: 400, PolyAI refuses the callSid
 * - `unauthorized`: 401 or 403, nothing about the call
 * - `too_many`: 429, about the whole account
 * - `unreachable`: no connection, nothing was sent
 * - `unavailable`: network, time-out, 408, 425, 5xx and whatever else is no answer
 * - `malformed`: 200 with a body that is no status of this call
 */
export type FailureCode =
  | 'not_found'
  | 'rejected'
  | 'unauthorized'
  | 'too_many'
  | 'unreachable'
  | 'unavailable'
  | 'malformed';

/** Failed polls in a row. It outlives a lease: the follower hands it on with the call. */
export interface FailureStreak {
  /** All failed polls since the last successful one: what backoff goes by. */
  failures: number;
  /** The latest kind of failure, how many of that kind came in a row, and over how long. */
  code: FailureCode;
  sameCode: number;
  sameCodeMs: number;
}

export interface CallAge {
  /** Milliseconds since registration. */
  ageMs: number;
  polls: number;
}

export interface VerdictLimits {
  notFoundGraceMs: number;
  maxTrackingMs: number;
}

const IN_A_ROW = 3;
const SURE_AFTER_MS = 30_000;
/** No call is asked for more seldom, but where nobody follows it. */
const SELDOM_MS = 6 * 60_000;

/** Adds one failed poll, `sinceLastMs` after the one before. */
export function extendStreak(
  streak: FailureStreak | null,
  code: FailureCode,
  sinceLastMs: number,
): FailureStreak {
  const failures = (streak?.failures ?? 0) + 1;
  if (streak?.code !== code) return { failures, code, sameCode: 1, sameCodeMs: 0 };
  return { failures, code, sameCode: streak.sameCode + 1, sameCodeMs: streak.sameCodeMs + sinceLastMs };
}

/**
 * The outcome that a streak of failed polls amounts to, or null while the call is to be followed on.
 *
 * One answer is never enough: a 404 or 400 may come from a replica that does not know the call yet, or from a proxy.
 * While PolyAI refuses the token nothing settles, however old the call: nobody knows anything about it.
 */
export function verdict(
  streak: FailureStreak,
  call: CallAge & { everSeen: boolean },
  limits: VerdictLimits,
): Outcome | null {
  if (streak.code === 'unauthorized') return null;
  if (streak.sameCode >= IN_A_ROW) {
    // What PolyAI has once known, it may deny for some seconds.
    const isSure = !call.everSeen || streak.sameCodeMs >= SURE_AFTER_MS;
    if (streak.code === 'rejected' && isSure) return 'rejected';
    if (streak.code === 'not_found' && isSure) {
      if (call.everSeen) return 'lost';
      if (call.ageMs >= limits.notFoundGraceMs) return 'not_found';
    }
  }
  return isOverdue(call, limits) ? 'abandoned' : null;
}

/**
 * A call that has been followed for longer than anyone can expect of a call. Its age is a matter of wall clocks, which
 * may jump by a day; that it was also asked for as often as in so long a time at least shows that none did.
 */
export function isOverdue({ ageMs, polls }: CallAge, { maxTrackingMs }: VerdictLimits): boolean {
  return ageMs >= maxTrackingMs && polls >= maxTrackingMs / SELDOM_MS;
}
