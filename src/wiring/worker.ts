import { longestPromise } from '../call/pace.ts';
import { systemClock as clock } from '../clock.ts';
import { createFollower } from '../follow/follower.ts';
import type { FollowSettings } from '../follow/one-lease.ts';
import { createRetention } from '../upkeep/retention.ts';
import { createRollups } from '../upkeep/rollups.ts';
import { createStatsKeys } from '../upkeep/stats-keys.ts';
import { createSweeper } from '../upkeep/sweeper.ts';
import { type Common, longestInterval, unlessHung } from './common.ts';

const SWEEP_EVERY_MS = 15_000;
/** How long a call that was swept up may wait in the queue before it is swept up again. */
const QUEUE_PATIENCE_MS = 60_000;
const RETENTION_EVERY_MS = 300_000;
/** What is not folded yet costs each question for statistics; each fold writes every row of rollups that has changed. */
const FOLD_EVERY_MS = 10_000;
const KEYS_EVERY_MS = 15_000;

/** Takes calls from the queue, and looks for those that nobody follows. */
export async function startFollowing(common: Common): Promise<void> {
  const { config, direct, writer, accounts, metrics, queue, log, running } = common;
  const settings: FollowSettings = {
    intervalMinMs: config.POLL_INTERVAL_MIN_MS,
    intervalMaxMs: longestInterval(config),
    backoffMaxMs: config.POLL_BACKOFF_MAX_MS,
    pollTimeoutMs: config.POLL_TIMEOUT_MS,
    leaseMs: config.LEASE_MS,
    notFoundGraceMs: config.NOT_FOUND_GRACE_MS,
    retentionMs: config.POLYAI_RETENTION_MS,
    maxTrackingMs: config.MAX_TRACKING_MS,
  };
  const follow = createFollower({
    accounts,
    archive: writer,
    metrics: metrics.polls,
    clock,
    random: Math.random,
    log,
    settings,
  });
  await queue.work(follow, () => !writer.isAway);
  const sweeper = createSweeper({
    pool: direct.pool,
    requeue: (callSids) => queue.requeue(callSids),
    longestPromiseMs: longestPromise(settings),
    patienceMs: QUEUE_PATIENCE_MS,
    everyMs: SWEEP_EVERY_MS,
    // Without Redis no other process can follow calls; what was promised was promised by a process that is gone.
    alone: config.REDIS_URL === undefined,
    metrics: metrics.sweeps,
    clock,
    log,
  });
  sweeper.start();
  running.defer(() => unlessHung(sweeper.stop()));
  startRollups(common);
  startRetention(common);
}

function startRollups({ config, direct: { pool }, log, running }: Common): void {
  const rollups = createRollups({ pool, everyMs: FOLD_EVERY_MS, clock, log });
  rollups.start();
  running.defer(() => unlessHung(rollups.stop()));
  const keys = createStatsKeys({ pool, keys: config.statsBy, everyMs: KEYS_EVERY_MS, clock, log });
  keys.start();
  running.defer(() => unlessHung(keys.stop()));
}

function startRetention({ config, direct, log, running }: Common): void {
  const { RETENTION_DAYS: retentionDays } = config;
  if (retentionDays === undefined) return;
  const retention = createRetention({
    pool: direct.pool,
    retentionDays,
    everyMs: RETENTION_EVERY_MS,
    clock,
    log,
  });
  retention.start();
  running.defer(() => unlessHung(retention.stop()));
}
