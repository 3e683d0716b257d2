import type { FailureStreak } from '../call/verdict.ts';

/**
 * The contract of a lease. A queue gives out a call for about a minute; whoever has it alone asks PolyAI for the call,
 * and at the end hands the call back with what the next one should know. Queues give leases, `follower.ts` keeps them.
 */

/** What one lease hands on to the next. A hint: without it the call is followed as if taken over afresh. */
export interface HandedOn {
  /** Until the next poll; not a time of day, which may jump. Negative: so long it has waited for a slot already. */
  dueInMs: number;
  streak: FailureStreak | null;
  /** When the last successful poll was asked (ISO 8601): a change that is seen later happened after that. */
  changedAfter: string | null;
  /** Since the last poll of any result; null where there was none. */
  sinceAskedMs: number | null;
}

export type FollowResult =
  /** Settled, or erased: nothing is left to follow. */
  | { kind: 'done' }
  /** The lease ended or the signal was aborted: to be followed on at once, by whoever it may be. */
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
