import type { Outcome } from './call.ts';

/**
 * Why a poll brought no status.
 *
 * - `not_found`: 404, a call that PolyAI does not know, or no longer
 * - `rejected`: 400, PolyAI refuses the callSid
 * - `unauthorized`: 401 or 403, nothing about the call
 * - `too_many`: 429, about the whole account
 * - `unreachable`: no connection, nothing was sent
 * - `unavailable`: the network failed, the time was over, or the status is 408, 425, 5xx or any other
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

/** Failed polls in a row. It is handed on from lease to lease. */
export interface FailureStreak {
  /** Failed polls since the last successful one. */
  failures: number;
  /** Of the last failed poll. */
  code: FailureCode;
  /** How many polls in a row failed with `code`. */
  sameCode: number;
  /** Milliseconds from the first to the last of these. */
  sameCodeMs: number;
}

export interface CallAge {
  /** Milliseconds since registration. */
  ageMs: number;
  /** Polls since registration. */
  polls: number;
}

export interface VerdictLimits {
  notFoundGraceMs: number;
  maxTrackingMs: number;
}

/** So many answers of one kind in a row settle a call. */
const IN_A_ROW = 3;
/** They must come over so long where PolyAI has shown a status of the call before. */
const SURE_AFTER_MS = 30_000;
/** A call that is followed is polled at least once in this time, unless a rate limit stretches its interval. */
const SELDOM_MS = 6 * 60_000;

/** The streak with one more failed poll, `sinceLastMs` after the one before. */
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
 * The outcome that a streak of failed polls settles the call with, or null while the call is to be followed on.
 *
 * One answer never settles a call: a 404 or 400 may come from a proxy, or from a replica that does not know the call
 * yet. While PolyAI refuses the token no call settles, however old it is: PolyAI says nothing about it.
 */
export function verdict(
  streak: FailureStreak,
  call: CallAge & { everSeen: boolean },
  limits: VerdictLimits,
): Outcome | null {
  if (streak.code === 'unauthorized') return null;
  if (streak.sameCode >= IN_A_ROW) {
    // PolyAI may deny for some seconds a call that it knew before.
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
 * Whether a call has been followed for longer than any call can last. Its age comes from a wall clock, which may jump
 * by a day. The number of its polls shows that the time has really passed.
 */
export function isOverdue({ ageMs, polls }: CallAge, { maxTrackingMs }: VerdictLimits): boolean {
  return ageMs >= maxTrackingMs && polls >= maxTrackingMs / SELDOM_MS;
}
