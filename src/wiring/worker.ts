import { createOverdueCalls } from '../archive/overdue.ts';
import { createExpiredCalls } from '../archive/retention.ts';
import { lifecycle } from '../call/lifecycle.ts';
import { longestPromise } from '../call/pace.ts';
import { systemClock } from '../clock.ts';
import { createFollower, type FollowSettings } from '../follow/follower.ts';
import { createRetention } from '../upkeep/retention.ts';
import { createSweeper } from '../upkeep/sweeper.ts';
import { longestInterval, type Parts, unlessHung } from './parts.ts';

const SWEEP_EVERY_MS = 15_000;
/** How long a call that was swept up may wait for its turn before it is swept up again. */
const QUEUE_PATIENCE_MS = 60_000;
const RETENTION_EVERY_MS = 300_000;

/** Takes calls from the queue, and looks for those that nobody follows. */
export async function startFollowing(parts: Parts): Promise<void> {
  const { config, database, writer, accounts, metrics, queue, log, running } = parts;
  const settings: FollowSettings = {
    intervalMinMs: config.POLL_INTERVAL_MIN_MS,
    intervalMaxMs: longestInterval(config),
    backoffMaxMs: config.POLL_BACKOFF_MAX_MS,
    pollTimeoutMs: config.POLL_TIMEOUT_MS,
    leaseMs: config.LEASE_MS,
    notFoundGraceMs: config.NOT_FOUND_GRACE_MS,
    maxTrackingMs: config.MAX_TRACKING_MS,
  };
  const follow = createFollower({
    accounts,
    archive: writer,
    metrics: metrics.polls,
    lifecycle,
    clock: systemClock,
    random: Math.random,
    log,
    settings,
  });
  await queue.work(follow, () => !writer.isAway);
  const sweeper = createSweeper({
    overdue: createOverdueCalls({
      pool: database.pool,
      longestPromiseMs: longestPromise(settings),
      patienceMs: QUEUE_PATIENCE_MS,
    }),
    requeue: (callSids) => queue.requeue(callSids),
    everyMs: SWEEP_EVERY_MS,
    // Without Redis no other process can follow calls; what was promised was promised by a process that is gone.
    alone: config.REDIS_URL === undefined,
    metrics: metrics.sweeps,
    clock: systemClock,
    log,
  });
  sweeper.start();
  running.defer(() => unlessHung(sweeper.stop()));
  startRetention(parts);
}

function startRetention({ config, database, log, running }: Parts): void {
  if (config.RETENTION_DAYS === undefined) return;
  const retention = createRetention({
    expired: createExpiredCalls({ pool: database.pool, retentionDays: config.RETENTION_DAYS }),
    everyMs: RETENTION_EVERY_MS,
    clock: systemClock,
    log,
  });
  retention.start();
  running.defer(() => unlessHung(retention.stop()));
}
