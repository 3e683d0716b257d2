import type { Logger } from 'pino';
import type { Account, PollMetrics } from '../accounts/account.ts';
import type { Accounts } from '../accounts/accounts.ts';
import { ArchiveClosedError } from '../archive/errors.ts';
import type { Lifecycle, TrackedCall } from '../call/call.ts';
import { leaseLength, type PaceSettings } from '../call/pace.ts';
import type { FailureStreak, VerdictLimits } from '../call/verdict.ts';
import type { Clock } from '../clock.ts';
import { Following } from './one-lease.ts';
import type { ReportingArchive } from './recorder.ts';

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

  /** Promises to follow the call until its lease ends; null where nothing is left to follow. */
  async function takeUp(callSid: string, leaseMs: number): Promise<TrackedCall | null> {
    const followForMs = leaseMs + settings.intervalMaxMs + settings.pollTimeoutMs;
    const call = await archive.report({ callSid, followForMs });
    return call === null || call.state.outcome !== null ? null : call;
  }

  function accountOf(call: TrackedCall): Account | undefined {
    const account = accounts.get(call.account);
    // One line for all its calls.
    if (account === undefined && !missing.has(call.account))
      log.error({ account: call.account }, 'calls wait: their account is not configured');
    if (account === undefined) missing.add(call.account);
    else missing.delete(call.account);
    return account;
  }

  // One function that waits, and not one in another: tens of thousands of each wait at a time.
  return async function follow(callSid, handedOn, signal) {
    try {
      const leaseMs = leaseLength(settings.leaseMs, random);
      let end = clock.monotonic() + leaseMs;
      const call = await takeUp(callSid, leaseMs);
      if (call === null) return { kind: 'done' };
      const account = accountOf(call);
      if (account === undefined) {
        await clock.sleep(leaseMs, signal);
        return { kind: 'handBack', handOn: handOnAgain(handedOn) };
      }
      const following = new Following(options, account, call, handedOn);
      for (;;) {
        await following.pollUntil(end, signal);
        const result = await following.end(signal);
        if (result.kind !== 'goOn') return result;
        end = result.end;
      }
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
