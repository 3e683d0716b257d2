import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Lease, Leases } from './leases.ts';

const RENEW_AT_ONCE = 1_000;

interface LockRenewalOptions {
  leases: Leases;
  /** Renews the locks of the jobs, each held with its token. Gives the ids of the jobs whose lock is lost. */
  extend(jobIds: string[], tokens: string[], lockMs: number): Promise<string[]>;
  lockMs: number;
  log: Logger;
}

/**
 * Renews the locks of all leases until the signal is aborted, and ends the leases whose lock is lost.
 *
 * It stands in for BullMQ's own renewal, which forgets jobs:
 * https://github.com/taskforcesh/bullmq/blob/v6.7.0/src/classes/lock-manager.ts
 * `LockManager` knows a job by its id alone. Where this process hands a call back and at once takes it up again, the
 * end of the first lease calls `untrackJob`, and BullMQ forgets the second lease: its lock runs out without a word, and
 * the call is followed twice.
 */
export async function renewLocks(options: LockRenewalOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(options.lockMs / 3, undefined, { signal }).catch(() => {});
    const leases = options.leases.all();
    for (let start = 0; start < leases.length && !signal.aborted; start += RENEW_AT_ONCE) {
      await renew(leases.slice(start, start + RENEW_AT_ONCE), options);
    }
  }
}

async function renew(leases: readonly Lease[], { extend, lockMs, log }: LockRenewalOptions): Promise<void> {
  try {
    const jobIds = leases.map(({ id }) => id);
    const tokens = leases.map(({ token }) => token);
    const lost = new Set(await extend(jobIds, tokens, lockMs));
    // A lease that was handed back meanwhile has no lock either. To end it once more does nothing.
    for (const lease of leases) if (lost.has(lease.id)) lease.ending.abort();
  } catch (error) {
    log.debug({ err: error }, 'locks not renewed: trying again');
  }
}
