import { within } from '../clock.ts';
import { QueueUnavailableError } from './call-queue.ts';
import type { Lease, Leases } from './leases.ts';
import type { RedisConnection } from './redis.ts';

const RENEW_AT_ONCE = 1_000;
const PATIENCE_MS = 5_000;

/**
 * For each job (its key, its lock's key) takes the lock with our token, and returns the numbers of those that another
 * worker holds. A job that Redis has lost gets none: nobody can take it, and its lock would outlast its call.
 */
const TAKE_FREE_LOCKS = `
local others = {}
for job = 1, #KEYS / 2 do
  if redis.call('EXISTS', KEYS[2 * job - 1]) == 1
    and not redis.call('SET', KEYS[2 * job], ARGV[1 + job], 'PX', ARGV[1], 'NX') then
    table.insert(others, job)
  end
end
return others`;

interface LocksOptions {
  leases: Leases;
  redis: RedisConnection;
  /** First part of the keys of jobs and their locks. */
  jobPrefix: string;
  /** Renews the locks of the jobs, each held with its token. Gives the ids of the jobs whose lock is not ours. */
  extend(jobIds: string[], tokens: string[], lockMs: number): Promise<string[]>;
  lockMs: number;
  /** Called where Redis refused, or did not answer. The locks are as they were, and so are the leases. */
  refused(error: unknown): void;
}

/**
 * Renews the locks of all leases. A lock that ran out (Redis took no writes for longer than it lasts, or lost it) is
 * taken again. Where another worker holds it by then, the call is followed there, and the lease here is ended.
 *
 * It stands in for BullMQ's own renewal, which forgets jobs:
 * https://github.com/taskforcesh/bullmq/blob/v6.7.0/src/classes/lock-manager.ts
 * `LockManager` knows a job by its id alone. Where this process hands a call back and at once takes it up again, the
 * end of the first lease calls `untrackJob`, and BullMQ forgets the second lease: its lock runs out without a word, and
 * the call is followed twice.
 */
export async function renewLocks(options: LocksOptions): Promise<void> {
  const leases = options.leases.all().filter(hasLock);
  for (let start = 0; start < leases.length; start += RENEW_AT_ONCE) {
    try {
      await renew(leases.slice(start, start + RENEW_AT_ONCE), options);
    } catch (error) {
      return options.refused(error);
    }
  }
}

type LockedLease = Lease & { token: string };

/** A call that is being handed back gives its lock up, and must not get it again. */
function hasLock(lease: Lease): lease is LockedLease {
  return lease.token !== null && !lease.isBeingHandedBack;
}

async function renew(leases: readonly LockedLease[], options: LocksOptions): Promise<void> {
  const { extend, lockMs } = options;
  const jobIds = leases.map(({ id }) => id);
  const tokens = leases.map(({ token }) => token);
  const notOurs = new Set(await inTime(extend(jobIds, tokens, lockMs)));
  const without = leases.filter((lease) => notOurs.has(lease.id) && stillGoesOn(lease, options));
  for (const lease of await takenByOthers(without, options)) options.leases.lose(lease);
}

function stillGoesOn(lease: LockedLease, { leases }: LocksOptions): boolean {
  return leases.has(lease) && !lease.isBeingHandedBack;
}

/** Takes the locks that nobody holds, and returns the leases of the others. */
async function takenByOthers(
  leases: readonly LockedLease[],
  { redis, jobPrefix, lockMs }: LocksOptions,
): Promise<LockedLease[]> {
  if (leases.length === 0) return [];
  const keys = leases.flatMap(({ id }) => [`${jobPrefix}:${id}`, `${jobPrefix}:${id}:lock`]);
  const tokens = leases.map(({ token }) => token);
  const answer = await inTime(redis.eval(TAKE_FREE_LOCKS, keys.length, ...keys, lockMs, ...tokens));
  const others = new Set<unknown>(Array.isArray(answer) ? answer : []);
  return leases.filter((_, index) => others.has(index + 1));
}

async function inTime<Answer>(asked: Promise<Answer>): Promise<Answer> {
  if (!(await within(PATIENCE_MS, asked))) throw new QueueUnavailableError('Redis does not answer');
  return asked;
}
