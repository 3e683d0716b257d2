import { setTimeout as sleep } from 'node:timers/promises';
import { DelayedError, type Job, Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { Follow, FollowResult, HandedOn } from '../tracking/follow.ts';
import type { CallQueue } from './call-queue.ts';
import { jobIdOf } from './job-id.ts';

export interface BullmqQueueOptions {
  redisUrl: string;
  /** First part of every key in Redis. */
  prefix: string;
  concurrency: number;
  log: Logger;
}

/** Only who is followed; `handedOn` is a hint from the last lease. */
interface CallJob {
  callSid: string;
  handedOn: HandedOn | null;
}

const QUEUE_NAME = 'calls';
const LOCK_MS = 30_000;
const STALLED_CHECK_MS = 15_000;
const ADD_AT_ONCE = 1_000;
/** Wait before a call is followed again whose follower broke off by an error. */
const AFTER_ERROR_MS = 5_000;
/** How long a shutdown waits for Redis before it leaves the jobs to the stalled check of the other workers. */
const CLOSE_PATIENCE_MS = 5_000;

/**
 * One job per call. It stays active for a lease, while the follower polls in this process, and is then moved to
 * `delayed` until its next poll: that is how load spreads over workers. Jobs are never failed and never kept.
 */
export function createBullmqQueue({ redisUrl, prefix, concurrency, log }: BullmqQueueOptions): CallQueue {
  // Without an offline queue a command fails at once while Redis is away, instead of piling up in memory.
  const connection = connect(redisUrl, { enableOfflineQueue: false, maxRetriesPerRequest: 1 }, log);
  const queue = new Queue<CallJob>(QUEUE_NAME, { connection, prefix });
  queue.on('error', (error) => log.debug({ err: error }, 'queue error'));
  let worker: Worker<CallJob> | null = null;
  let workerConnection: Redis | null = null;
  const closing = new AbortController();

  async function enqueue(callSids: readonly string[]): Promise<void> {
    for (let start = 0; start < callSids.length; start += ADD_AT_ONCE) {
      await queue.addBulk(callSids.slice(start, start + ADD_AT_ONCE).map(jobOf));
    }
  }

  async function work(follow: Follow): Promise<void> {
    workerConnection = connect(redisUrl, { maxRetriesPerRequest: null }, log);
    const process = async (job: Job<CallJob>, token?: string, signal?: AbortSignal) => {
      const result = await followWhileRedisIsAway(follow, job, signal ?? closing.signal);
      if (result.kind === 'done') return;
      await handBack(job, token, result);
      throw new DelayedError();
    };
    const created = new Worker<CallJob>(QUEUE_NAME, process, {
      connection: workerConnection,
      prefix,
      concurrency,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      // A job whose worker died is to be followed on, however often that happens.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
      runRetryDelay: 1_000,
    });
    created.on('error', (error) => log.debug({ err: error }, 'worker error'));
    created.on('lockRenewalFailed', (jobIds) => {
      // Also seen when the renewal and a hand-back cross: then there is nothing left to cancel.
      for (const jobId of jobIds) created.cancelJob(jobId, 'lock lost');
    });
    worker = created;
  }

  /** A lease that ends while Redis cannot take the call back is begun anew here: polling goes on. */
  async function followWhileRedisIsAway(
    follow: Follow,
    job: Job<CallJob>,
    jobSignal: AbortSignal,
  ): Promise<FollowResult> {
    const signal = closing.signal.aborted ? closing.signal : jobSignal;
    const { callSid } = job.data;
    let { handedOn } = job.data;
    for (;;) {
      const result = await followOrWait(follow, callSid, handedOn, signal);
      if (result.kind === 'done' || signal.aborted || isReady(workerConnection)) return result;
      await sleep(result.dueInMs, undefined, { signal }).catch(() => {});
      handedOn = result.handOn;
    }
  }

  async function followOrWait(
    follow: Follow,
    callSid: string,
    handedOn: HandedOn | null,
    signal: AbortSignal,
  ): Promise<FollowResult> {
    try {
      return await follow(callSid, handedOn, signal);
    } catch (error) {
      if (!closing.signal.aborted) log.error({ callSid, err: error }, 'follower broke off');
      return { kind: 'handBack', dueInMs: AFTER_ERROR_MS, handOn: handedOn ?? { streak: null } };
    }
  }

  async function handBack(
    job: Job<CallJob>,
    token: string | undefined,
    { dueInMs, handOn }: Extract<FollowResult, { kind: 'handBack' }>,
  ): Promise<void> {
    try {
      const dueAt = Date.now() + dueInMs;
      if (isNews(job.data.handedOn, handOn)) await job.updateData({ ...job.data, handedOn: handOn });
      await job.moveToDelayed(dueAt, token);
    } catch (error) {
      // The lock was lost: whoever has it now follows the call, or the stalled check brings it back.
      log.debug({ callSid: job.data.callSid, err: error }, 'hand-back refused');
    }
  }

  async function close(): Promise<void> {
    closing.abort();
    if (worker !== null) {
      const closed = worker.close();
      worker.cancelAllJobs('shutdown');
      if (!(await within(CLOSE_PATIENCE_MS, closed))) log.warn('Redis did not take all calls back in time');
    }
    workerConnection?.disconnect();
    await within(CLOSE_PATIENCE_MS, queue.close());
    connection.disconnect();
  }

  return {
    enqueue,
    async remove(callSid) {
      await queue.remove(jobIdOf(callSid));
    },
    work,
    async state() {
      return isReady(connection) ? 'up' : 'down';
    },
    close,
  };
}

function jobOf(callSid: string) {
  const opts = { jobId: jobIdOf(callSid), removeOnComplete: true, removeOnFail: true };
  return { name: 'follow', data: { callSid, handedOn: null }, opts };
}

/** Most calls fail at nothing: then the job's data stays as it is, which saves a round trip a lease. */
function isNews(before: HandedOn | null, now: HandedOn): boolean {
  return before === null || before.streak !== null || now.streak !== null;
}

function connect(
  url: string,
  options: { enableOfflineQueue?: boolean; maxRetriesPerRequest: number | null },
  log: Logger,
): Redis {
  const redis = new Redis(url, { ...options, retryStrategy: (times) => Math.min(times * 100, 2_000) });
  let away = false;
  // One line per change of state, not one per attempt.
  redis.on('error', (error) => {
    if (!away) log.warn({ err: error }, 'Redis is away');
    away = true;
  });
  redis.on('ready', () => {
    if (away) log.info('Redis is back');
    away = false;
  });
  return redis;
}

function isReady(redis: Redis | null): boolean {
  return redis?.status === 'ready';
}

async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  const done = new AbortController();
  const timeout = sleep(ms, false, { signal: done.signal }).catch(() => false);
  const inTime = await Promise.race([
    work.then(
      () => true,
      () => true,
    ),
    timeout,
  ]);
  done.abort();
  return inTime;
}
