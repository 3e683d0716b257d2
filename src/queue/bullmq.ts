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

interface BullmqQueueOptions {
  redisUrl: string;
  /** First part of every key in Redis. */
  prefix: string;
  concurrency: number;
  /** While the process is full and calls wait, leases of this age may be ended. */
  yieldAfterMs: number;
  log: Logger;
}

interface CallJob {
  callSid: string;
  /** A hint from the last lease; null where there was none. */
  handedOn: HandedOn | null;
}

const QUEUE_NAME = 'calls';
const LOCK_MS = 30_000;
const STALLED_CHECK_MS = 15_000;
const YIELD_CHECK_MS = 1_000;
const ADD_AT_ONCE = 1_000;
/**
 * A Redis that is connected may still not answer. Calls it did not take back by then stall, and go to other workers.
 */
const REDIS_PATIENCE_MS = 5_000;
const STATE_PATIENCE_MS = 1_000;
/** Tells BullMQ that a job was moved to `delayed`. One for all: a new error each time would make a new stack. */
const HANDED_BACK = new DelayedError();

export interface BullmqCallQueue extends CallQueue {
  /** For the dashboard. */
  readonly jobs: Queue;
}

/**
 * A queue in Redis with one job per call. A job is active for a lease, in which the follower polls in this process.
 * Then it goes back to the end of the queue, from where any worker takes it: that spreads calls over workers. No job is
 * ever marked as failed, and none is kept when its call is settled.
 */
export function createBullmqQueue(options: BullmqQueueOptions): BullmqCallQueue {
  const { redisUrl, prefix, concurrency, yieldAfterMs, log } = options;
  // Without an offline queue commands fail at once while Redis is away, and do not pile up in memory.
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

  /** Throws where Redis is away. BullMQ would wait for a first connection for ever, with all that is enqueued. */
  async function available(): Promise<void> {
    await attempted;
    if (!isReady(connection)) throw new QueueUnavailableError();
  }

  /**
   * Removes the jobs and adds them anew. BullMQ has had jobs that it kept and never gave out
   * (https://github.com/taskforcesh/bullmq/issues/1658, also 2466 and 2534), and to add a job that it has does nothing.
   * A job with a live lock is followed, and is not removed.
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
      // A call is followed on however often its worker died.
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
      // Jobs that were handed back are `delayed` until a worker with room looks for more.
      leases.yieldTo(await queue.getJobCountByTypes('waiting', 'delayed'));
    } catch (error) {
      log.debug({ err: error }, 'the waiting could not be counted');
    }
  }

  /** BullMQ gives a worker that closes one more job, mostly one that it has just handed back. */
  async function giveBack(job: Job<CallJob>, token: string): Promise<never> {
    await within(REDIS_PATIENCE_MS, handBack(job, token, job.data.handedOn));
    throw HANDED_BACK;
  }

  /**
   * Has the call followed for one lease. Resolves where the call is done, rejects with `HANDED_BACK` where it was
   * handed back. Where Redis is away, or has not taken the call back within 5 s, the next lease begins here, so that
   * polling goes on. If Redis takes it back later, two followers have one call: the archive lets each news in once.
   */
  async function oneLease(job: Job<CallJob>, token: string, follow: Follow): Promise<void> {
    if (closing.signal.aborted) return giveBack(job, token);
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

  /** Due at once: it is the next lease that waits for the next poll, by a clock that does not jump. */
  async function handBack(job: Job<CallJob>, token: string, handedOn: HandedOn | null): Promise<void> {
    try {
      await job.updateData({ ...job.data, handedOn });
      await job.moveToDelayed(Date.now(), token);
    } catch (error) {
      log.debug({ callSid: job.data.callSid, err: error }, 'hand-back refused');
      await addAgain(job.data.callSid, handedOn);
    }
  }

  /** Adds a job that a flushed Redis has lost. Does nothing where another worker has the job. */
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

/** Rejects as the work does, and with `QueueUnavailableError` where it takes Redis longer than `patienceMs`. */
async function answered(work: Promise<unknown>, patienceMs = REDIS_PATIENCE_MS): Promise<void> {
  if (!(await within(patienceMs, work))) throw new QueueUnavailableError();
  await work;
}
