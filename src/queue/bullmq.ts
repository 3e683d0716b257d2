import { DelayedError, type Job, Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { within } from '../clock.ts';
import type { Follow, HandedOn } from '../follow/lease.ts';
import { type CallQueue, type QueueDepth, QueueUnavailableError } from './call-queue.ts';
import { jobIdOf } from './job-id.ts';
import { Leases } from './leases.ts';
import { renewLocks } from './locks.ts';
import { connectRedis, firstAttempt, isReady, warnOfEviction } from './redis.ts';

export interface BullmqQueueOptions {
  redisUrl: string;
  /** First part of every key in Redis. */
  prefix: string;
  concurrency: number;
  /** Where the process is full and calls wait, a lease may be ended after so long. */
  yieldAfterMs: number;
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
const YIELD_CHECK_MS = 1_000;
const ADD_AT_ONCE = 1_000;
/** Redis may be connected and not answer. At a shutdown what it has not taken is left to the other workers' check. */
const REDIS_PATIENCE_MS = 5_000;
const STATE_PATIENCE_MS = 1_000;
/** What BullMQ takes for it; to make one each time is to make its stack each time. */
const HANDED_BACK = new DelayedError();

/** A queue whose jobs can be looked at. */
export interface BullmqCallQueue extends CallQueue {
  readonly jobs: Queue;
}

/**
 * One job per call. It stays active for a lease, while the follower polls in this process, and then goes back to the
 * end of the queue: that is how load spreads over workers. Jobs are never failed and never kept.
 */
export function createBullmqQueue(options: BullmqQueueOptions): BullmqCallQueue {
  const { redisUrl, prefix, concurrency, yieldAfterMs, log } = options;
  // Without an offline queue a command fails at once while Redis is away, instead of piling up in memory.
  const connection = connectRedis(redisUrl, { enableOfflineQueue: false, maxRetriesPerRequest: 1 }, log);
  connection.on('ready', () => {
    warnOfEviction(connection, log).catch((error: unknown) => log.debug({ err: error }, 'eviction unknown'));
  });
  const queue = new Queue<CallJob>(QUEUE_NAME, { connection, prefix });
  queue.on('error', (error) => log.debug({ err: error }, 'queue error'));
  const leases = new Leases({ atMost: concurrency, yieldAfterMs });
  let worker: Worker<CallJob> | null = null;
  let workerConnection: Redis | null = null;
  let yieldCheck: NodeJS.Timeout | undefined;
  const closing = new AbortController();

  const attempted = firstAttempt(connection);

  async function enqueue(callSids: readonly string[]): Promise<void> {
    await available();
    for (let start = 0; start < callSids.length; start += ADD_AT_ONCE) {
      await answered(queue.addBulk(callSids.slice(start, start + ADD_AT_ONCE).map(newJob)));
    }
  }

  /** BullMQ would wait for a first connection for ever, and hold all that is enqueued until then. */
  async function available(): Promise<void> {
    await attempted;
    if (!isReady(connection)) throw new QueueUnavailableError();
  }

  /**
   * BullMQ has had jobs that it holds but never delivers (its issues 1658, 2466, 2534), and adding one that it holds
   * does nothing. To remove it does nothing either where a live lock says that it is followed.
   */
  async function requeue(callSids: readonly string[]): Promise<void> {
    await available();
    for (let start = 0; start < callSids.length; start += ADD_AT_ONCE) {
      const page = callSids.slice(start, start + ADD_AT_ONCE);
      await answered(Promise.all(page.map((callSid) => queue.remove(jobIdOf(callSid)))));
      await answered(queue.addBulk(page.map(newJob)));
    }
  }

  async function work(follow: Follow, mayYield = () => true): Promise<void> {
    workerConnection = connectRedis(redisUrl, { maxRetriesPerRequest: null }, log);
    const created = new Worker<CallJob>(QUEUE_NAME, (job, token = '') => oneLease(job, token, follow), {
      connection: workerConnection,
      prefix,
      concurrency,
      lockDuration: LOCK_MS,
      skipLockRenewal: true,
      stalledInterval: STALLED_CHECK_MS,
      // A job whose worker died is to be followed on, however often that happens.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
      runRetryDelay: 1_000,
    });
    created.on('error', (error) => log.debug({ err: error }, 'worker error'));
    const extend = created.extendJobLocks.bind(created);
    void renewLocks({ leases, extend, lockMs: LOCK_MS, log }, closing.signal);
    yieldCheck = setInterval(() => void (mayYield() && yieldToWaiting()), YIELD_CHECK_MS);
    worker = created;
  }

  async function yieldToWaiting(): Promise<void> {
    if (!leases.isFull || !isReady(connection)) return;
    try {
      // What was handed back is `delayed` until a worker with room looks for more.
      leases.yieldTo(await queue.getJobCountByTypes('waiting', 'delayed'));
    } catch (error) {
      log.debug({ err: error }, 'the waiting could not be counted');
    }
  }

  /** A worker that waits for jobs is given one more when it closes, mostly the one that it has just handed back. */
  async function returned(job: Job<CallJob>, token: string): Promise<never> {
    await within(REDIS_PATIENCE_MS, handBack(job, token, job.data.handedOn));
    throw HANDED_BACK;
  }

  /**
   * One lease of a call; rejects with `HANDED_BACK` where it is not over. A lease that ends while Redis is
   * away, or takes the call back no sooner than in a while, is begun anew here: polling goes on. A hand-back that comes
   * through late makes two followers of one call, which does no harm.
   */
  async function oneLease(job: Job<CallJob>, token: string, follow: Follow): Promise<void> {
    if (closing.signal.aborted) return returned(job, token);
    const lease = leases.begin(jobIdOf(job.data.callSid), token);
    try {
      for (let { handedOn } = job.data; ; ) {
        const result = await follow(job.data.callSid, handedOn, lease.ending.signal);
        if (result.kind === 'done') return;
        handedOn = result.handOn;
        if (!lease.ending.signal.aborted && !isReady(workerConnection)) continue;
        const isBack = await within(REDIS_PATIENCE_MS, handBack(job, token, handedOn));
        if (isBack || lease.ending.signal.aborted) throw HANDED_BACK;
      }
    } finally {
      leases.end(lease);
    }
  }

  /** Due at once, whatever the next poll's time: the next follower waits for that, by a clock that does not jump. */
  async function handBack(job: Job<CallJob>, token: string, handedOn: HandedOn | null): Promise<void> {
    try {
      await job.updateData({ ...job.data, handedOn });
      await job.moveToDelayed(Date.now(), token);
    } catch (error) {
      log.debug({ callSid: job.data.callSid, err: error }, 'hand-back refused');
      await addAgain(job.data.callSid, handedOn);
    }
  }

  /** Where the lock is another worker's, the job is there and this does nothing; where Redis was flushed it is gone. */
  async function addAgain(callSid: string, handedOn: HandedOn | null): Promise<void> {
    try {
      await available();
      await queue.addBulk([jobOf(callSid, handedOn)]);
    } catch (error) {
      // The sweeper will find the call.
      log.debug({ callSid, err: error }, 'not added again');
    }
  }

  async function depth(): Promise<QueueDepth | null> {
    try {
      const counts = queue.getJobCounts('active', 'waiting', 'delayed');
      await answered(counts, STATE_PATIENCE_MS);
      const { active = 0, waiting = 0, delayed = 0 } = await counts;
      return { active, waiting, delayed };
    } catch (error) {
      log.debug({ err: error }, 'the queue could not be counted');
      return null;
    }
  }

  async function close(): Promise<void> {
    closing.abort();
    clearInterval(yieldCheck);
    if (worker !== null) {
      const closed = worker.close();
      leases.abortAll();
      if (!(await within(REDIS_PATIENCE_MS, closed))) log.warn('Redis did not take all calls back in time');
    }
    workerConnection?.disconnect();
    await within(REDIS_PATIENCE_MS, queue.close());
    connection.disconnect();
  }

  return {
    enqueue,
    requeue,
    async remove(callSid) {
      leases.abort(jobIdOf(callSid));
      if (isReady(connection)) await queue.remove(jobIdOf(callSid));
    },
    work,
    async state() {
      return answered(connection.ping(), STATE_PATIENCE_MS).then(
        () => 'up',
        () => 'down',
      );
    },
    get followed() {
      return leases.size;
    },
    depth,
    jobs: queue,
    close,
  };
}

function newJob(callSid: string) {
  return jobOf(callSid, null);
}

function jobOf(callSid: string, handedOn: HandedOn | null) {
  const opts = { jobId: jobIdOf(callSid), removeOnComplete: true, removeOnFail: true };
  return { name: 'follow', data: { callSid, handedOn }, opts };
}

/** Rejects as the work does, or where Redis does not answer. */
async function answered(work: Promise<unknown>, patienceMs = REDIS_PATIENCE_MS): Promise<void> {
  if (!(await within(patienceMs, work))) throw new QueueUnavailableError();
  await work;
}
