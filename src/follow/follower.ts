import type { Account } from '../accounts/account.ts';
import type { Accounts } from '../accounts/accounts.ts';
import { ArchiveClosedError } from '../archive/errors.ts';
import type { FollowedCall } from '../call/call.ts';
import { leaseLength, Newcomers } from '../call/pace.ts';
import type { Follow, HandedOn } from './lease.ts';
import { type LeaseOptions, OneLease } from './one-lease.ts';

interface FollowerOptions extends Omit<LeaseOptions, 'newcomers'> {
  accounts: Pick<Accounts, 'get'>;
}

const AFTER_ERROR_MS = 5_000;

export function createFollower(options: FollowerOptions): Follow {
  const { archive, settings, random, clock, accounts, log } = options;
  const leaseOptions: LeaseOptions = { ...options, newcomers: new Newcomers(random) };
  const missing = new Set<string>();

  /** Promises to follow the call until its lease ends; null where nothing is left to follow. */
  async function takeUp(callSid: string, leaseMs: number): Promise<FollowedCall | null> {
    const followForMs = leaseMs + settings.intervalMaxMs + settings.pollTimeoutMs;
    const call = await archive.report({ callSid, followForMs });
    return call === null || call.state.outcome !== null ? null : call;
  }

  function accountOf(call: FollowedCall): Account | undefined {
    const account = accounts.get(call.account);
    // Logged once for all calls of the account.
    if (account === undefined && !missing.has(call.account))
      log.error({ account: call.account }, 'calls wait: their account is not configured');
    if (account === undefined) missing.add(call.account);
    else missing.delete(call.account);
    return account;
  }

  // One async function, and not several that await each other: 20,000 calls wait in it, and each await takes memory.
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
      const oneLease = new OneLease(leaseOptions, account, call, handedOn);
      account.health.join();
      try {
        for (;;) {
          await oneLease.pollUntil(end, signal);
          const result = await oneLease.end(signal);
          if (result.kind !== 'goOn') return result;
          end = result.end;
        }
      } finally {
        account.health.leave();
      }
    } catch (error) {
      if (!(error instanceof ArchiveClosedError)) log.error({ callSid, err: error }, 'follower broke off');
      await clock.sleep(AFTER_ERROR_MS, signal);
      return { kind: 'handBack', handOn: handOnAgain(handedOn) };
    }
  };
}

/** What was handed on to this lease goes on to the next, which polls at once. */
function handOnAgain(handedOn: HandedOn | null): HandedOn {
  return { streak: null, changedAfter: null, sinceAskedMs: null, ...handedOn, dueInMs: 0 };
}
