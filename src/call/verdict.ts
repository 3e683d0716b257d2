import type { Conclusion } from './call.ts';

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
  /** The latest failure. */
  code: FailureCode;
  /** How many failures of its kind came in a row, and over how many milliseconds. */
  sameKind: number;
  sameKindMs: number;
}

export interface CallAge {
  /** Milliseconds since the registration that it is followed for. */
  ageMs: number;
  /** Polls since registration. */
  polls: number;
}

/** What is known of a call whose poll has failed. */
export interface DeniedCall extends CallAge {
  /** Milliseconds since PolyAI last showed a status; null where it never has. */
  silentMs: number | null;
  /**
   * PolyAI has shown a status of some call of the account, as the account is configured now, and has not denied a call
   * since that it must still know.
   */
  accountIsTrusted: boolean;
}

export interface VerdictLimits {
  notFoundGraceMs: number;
  /** How long PolyAI keeps a call after its end. */
  retentionMs: number;
  maxTrackingMs: number;
}

/** So many answers of one kind in a row settle a call. */
const IN_A_ROW = 3;
/** They must come over so long where PolyAI has shown a status of the call before. */
const SURE_AFTER_MS = 30_000;
/** A call that is followed is polled at least once in this time, unless a rate limit stretches its interval. */
const SELDOM_MS = 6 * 60_000;

/** Whether PolyAI denies a call that it has shown and cannot have forgotten yet. */
export function contradicts(
  code: FailureCode,
  silentMs: number | null,
  { retentionMs }: VerdictLimits,
): boolean {
  return kindOf(code) === 'denied' && silentMs !== null && silentMs < retentionMs;
}

/** The streak with one more failed poll, `sinceLastMs` after the one before. */
export function extendStreak(
  streak: FailureStreak | null,
  code: FailureCode,
  sinceLastMs: number,
): FailureStreak {
  const failures = (streak?.failures ?? 0) + 1;
  if (streak === null || kindOf(streak.code) !== kindOf(code)) {
    return { failures, code, sameKind: 1, sameKindMs: 0 };
  }
  return { failures, code, sameKind: streak.sameKind + 1, sameKindMs: streak.sameKindMs + sinceLastMs };
}

/** PolyAI says by 404 and by 400 that it does not know a call, or no longer: which one depends on the API. */
function kindOf(code: FailureCode): FailureCode | 'denied' {
  return code === 'not_found' || code === 'rejected' ? 'denied' : code;
}

/**
 * The conclusion that a streak of failed polls amounts to, or null while the call is to be followed on.
 *
 * A conclusion is drawn late. One answer is never enough: a replica may not know the call yet, or no longer. A call that
 * was seen is `lost` only when PolyAI can have forgotten it. An account that has shown no status of any call may have a
 * wrong URL, region or token: then every call is unknown, and nothing is concluded before PolyAI would have forgotten
 * the call. So it is where calls are denied that were shown: a gateway may say so in words like PolyAI's. While PolyAI refuses the token nothing settles, however old the call: nobody knows anything about it.
 */
export function verdict(streak: FailureStreak, call: DeniedCall, limits: VerdictLimits): Conclusion | null {
  if (streak.code === 'unauthorized') return null;
  return concludedFromDenial(streak, call, limits) ?? (isOverdue(call, limits) ? 'abandoned' : null);
}

function concludedFromDenial(
  streak: FailureStreak,
  { silentMs, ageMs, accountIsTrusted }: DeniedCall,
  { notFoundGraceMs, retentionMs }: VerdictLimits,
): Conclusion | null {
  if (kindOf(streak.code) !== 'denied' || streak.sameKind < IN_A_ROW) return null;
  if (silentMs !== null) {
    return streak.sameKindMs >= SURE_AFTER_MS && silentMs >= retentionMs ? 'lost' : null;
  }
  if (ageMs < notFoundGraceMs || !(accountIsTrusted || ageMs >= retentionMs)) return null;
  return streak.code === 'rejected' ? 'rejected' : 'not_found';
}

/**
 * Whether a call has been followed for longer than any call can last. Its age comes from a wall clock, which may jump
 * by a day. The number of its polls shows that the time has really passed.
 */
export function isOverdue({ ageMs, polls }: CallAge, { maxTrackingMs }: VerdictLimits): boolean {
  return ageMs >= maxTrackingMs && polls >= maxTrackingMs / SELDOM_MS;
}
