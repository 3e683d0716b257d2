import type { FailureStreak } from '../call/verdict.ts';

/**
 * The contract of a lease. A queue gives out a call for about a minute. Whoever holds the lease is the only one that
 * asks PolyAI for the call, and at its end hands the call back with what the next holder should know. Queues give
 * leases, `follower.ts` keeps them.
 */

/** What one lease hands on to the next. It is a hint: without it a call is followed as one that was just taken over. */
export interface HandedOn {
  /** Until the next poll, since a time of day may jump. Negative: the poll has been due for so long. */
  dueInMs: number;
  streak: FailureStreak | null;
  /** When the last successful poll was asked (ISO 8601); null where there was none. */
  changedAfter: string | null;
  /** Since the last poll of any result; null where there was none. */
  sinceAskedMs: number | null;
}

export type FollowResult =
  /** Settled, or erased: nothing is left to follow. */
  | { kind: 'done' }
  /** The lease ended or its signal was aborted: the call is to be taken up again at once, by any process. */
  | { kind: 'handBack'; handOn: HandedOn };

/**
 * Follows one call for one lease: poll, record, sleep. `handedOn` is null where the call is new or was taken over
 * without a word. Never rejects: a follower that breaks off hands its call back after a while.
 */
export type Follow = (
  callSid: string,
  handedOn: HandedOn | null,
  signal: AbortSignal,
) => Promise<FollowResult>;
