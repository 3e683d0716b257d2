import type { Logger } from 'pino';
import type { Lifecycle } from '../archive/call.ts';
import { ArchiveClosedError } from '../archive/errors.ts';
import type { PollMetrics } from './account.ts';
import type { Accounts } from './accounts.ts';
import type { Clock } from './clock.ts';
import { Following } from './following.ts';
import { leaseLength, type PaceSettings } from './pace.ts';
import type { ReportingArchive } from './recorder.ts';
import type { FailureStreak, VerdictLimits } from './verdict.ts';

/** What one lease hands on to the next. A hint: without it the call is followed as if taken over afresh. */
export interface HandedOn {
  /** Until the next poll; not a time of day, which may jump. Negative: so long it has waited for its turn already. */
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

/** The pace is the slowest of any account's. */
export interface FollowSettings extends PaceSettings, VerdictLimits {
  leaseMs: number;
  pollTimeoutMs: number;
}

export interface FollowerOptions {
  accounts: Pick<Accounts, 'get'>;
  metrics: PollMetrics;
  archive: ReportingArchive;
  lifecycle: Lifecycle;
  settings: FollowSettings;
  clock: Clock;
  random: () => number;
  log: Logger;
}

const AFTER_ERROR_MS = 5_000;

export function createFollower(options: FollowerOptions): Follow {
  const { archive, settings, random, clock, accounts, log } = options;
  const missing = new Set<string>();

  async function followForOneLease(
    callSid: string,
    handedOn: HandedOn | null,
    signal: AbortSignal,
  ): Promise<FollowResult> {
    const leaseMs = leaseLength(settings.leaseMs, random);
    const leaseEnd = clock.monotonic() + leaseMs;
    const followForMs = leaseMs + settings.intervalMaxMs + settings.pollTimeoutMs;
    const call = await archive.report({ callSid, followForMs });
    if (call === null || call.state.outcome !== null) return { kind: 'done' };

    const account = accounts.get(call.account);
    if (account === undefined) {
      // One line for all its calls.
      if (!missing.has(call.account))
        log.error({ account: call.account }, 'calls wait: their account is not configured');
      missing.add(call.account);
      await clock.sleep(leaseMs, signal);
      return { kind: 'handBack', handOn: handOnAgain(handedOn) };
    }
    missing.delete(call.account);
    return new Following(options, account, call, handedOn).until(leaseEnd, signal);
  }

  return async function follow(callSid, handedOn, signal) {
    try {
      return await followForOneLease(callSid, handedOn, signal);
    } catch (error) {
      if (!(error instanceof ArchiveClosedError)) log.error({ callSid, err: error }, 'follower broke off');
      await clock.sleep(AFTER_ERROR_MS, signal);
      return { kind: 'handBack', handOn: handOnAgain(handedOn) };
    }
  };
}

function handOnAgain(handedOn: HandedOn | null): HandedOn {
  return { streak: null, changedAfter: null, sinceAskedMs: null, ...handedOn, dueInMs: 0 };
}
