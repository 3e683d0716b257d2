import { Queue } from 'bullmq';
import type { Logger } from 'pino';
import { within } from '../clock.ts';
import type { Follow, HandedOn } from '../follow/lease.ts';
import { redisPlaceOf } from '../network/redis-url.ts';
import { type BullmqWorker, startBullmqWorker } from './bullmq-worker.ts';
import { type CallJob, jobOf, QUEUE_NAME } from './call-job.ts';
import { type CallQueue, type QueueDepth, QueueUnavailableError } from './call-queue.ts';
import { jobIdOf } from './job-id.ts';
import { Leases } from './leases.ts';
import { connectRedis, isReady, warnOfEviction } from './redis.ts';
import { createWriteProbe } from './write-probe.ts';

interface BullmqQueueOptions {
  redisUrl: string;
  /** First part of every key in Redis. */
  prefix: string;
  concurrency: number;
  /** While the process is full and calls wait, leases of this age may be ended. */
  yieldAfterMs: number;
  log: Logger;
}

const YIELD_CHECK_MS = 1_000;
const ADD_AT_ONCE = 1_000;
/** A Redis that is connected may still not answer. */
const PATIENCE_MS = 5_000;
const COUNT_WITHIN_MS = 1_000;

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
  // BullMQ asks for the version once: an answer that is lost with the connection would stop the queue for ever.
  const queue = new Queue<CallJob>(QUEUE_NAME, { connection, prefix, skipVersionCheck: true });
  // What follows from it is told by whoever asked.
  queue.on('error', (error) => log.debug({ err: error }, 'queue error'));
  const jobKeys = ['wait', 'active', 'delayed', 'prioritized', 'meta'].map((type) => queue.toKey(type));
  const probe = createWriteProbe({
    redis: connection,
    key: `${prefix}:probe`,
    jobKeys,
    server: redisPlaceOf(redisUrl),
    log,
  });
  const leases = new Leases({ atMost: concurrency, yieldAfterMs });
  let worker: BullmqWorker | null = null;
  let yieldCheck: NodeJS.Timeout | undefined;

  /** Throws where Redis is away. BullMQ would wait for a first connection for ever, with all that is enqueued. */
  async function available(): Promise<void> {
    if (!isReady(connection)) await probe.check();
    if (!isReady(connection)) throw new QueueUnavailableError();
  }

  async function enqueue(callSids: readonly string[]): Promise<void> {
    await told('enqueuing calls', () =>
      inPages(callSids, async (page) => {
        await answered(queue.addBulk(page.map((callSid) => jobOf(callSid, null))));
      }),
    );
  }

  async function requeue(callSids: readonly string[]): Promise<void> {
    if (worker === null || (await probe.check())) {
      try {
        return await told('requeuing calls', () => inPages(callSids, addPageAnew));
      } catch (error) {
        // The probe has told of it. Whatever Redis has against them, the calls are to be followed.
        if (worker === null) throw error;
      }
    }
    if (worker.followHere(callSids)) return;
    throw new QueueUnavailableError('Redis takes no calls, and this process follows as many as it may');
  }

  async function addPageAnew(callSids: readonly string[]): Promise<void> {
    await makeAnew(
      callSids,
      callSids.map((callSid) => jobOf(callSid, null)),
    );
  }

  async function addAnew(callSid: string, handedOn: HandedOn | null): Promise<void> {
    await available();
    await makeAnew([callSid], [jobOf(callSid, handedOn)]);
  }

  /**
   * Removes the jobs and adds them anew. BullMQ has had jobs that it kept and never gave out
   * (https://github.com/taskforcesh/bullmq/issues/1658, also 2466 and 2534), and to add a job that it has does nothing.
   * A job with a live lock is followed, and is not removed.
   */
  async function makeAnew(callSids: readonly string[], jobs: ReturnType<typeof jobOf>[]): Promise<void> {
    await answered(Promise.all(callSids.map((callSid) => queue.remove(jobIdOf(callSid)))));
    await answered(queue.addBulk(jobs));
  }

  /** Rejects as the work does. The probe is told of it. */
  async function told(doing: string, work: () => Promise<void>): Promise<void> {
    try {
      await available();
      await work();
    } catch (error) {
      probe.refused(doing, error);
      throw error;
    }
  }

  async function work(follow: Follow, mayYield = () => true): Promise<void> {
    worker = startBullmqWorker({ redisUrl, prefix, concurrency, leases, probe, follow, addAnew, log });
    yieldCheck = setInterval(() => void (mayYield() && yieldToWaiting()), YIELD_CHECK_MS);
  }

  async function yieldToWaiting(): Promise<void> {
    if (!leases.isFull || !probe.isUp) return;
    // Jobs that were handed back are `delayed` until a worker with room looks for more.
    const counts = await depth();
    if (counts !== null) leases.yieldTo(counts.waiting + counts.delayed);
  }

  async function depth(): Promise<QueueDepth | null> {
    try {
      await available();
      const counts = queue.getJobCounts('active', 'waiting', 'delayed');
      await answered(counts, COUNT_WITHIN_MS);
      const { active = 0, waiting = 0, delayed = 0 } = await counts;
      return { active, waiting, delayed };
    } catch (error) {
      // It is for display, and to yield; what calls need is probed.
      log.debug({ err: error }, 'the queue could not be counted');
      return null;
    }
  }

  /** By the names of Redis' clients, which some hosts of Redis do not tell. */
  async function workers(): Promise<number | null> {
    try {
      await available();
      const count = queue.getWorkersCount();
      await answered(count, COUNT_WITHIN_MS);
      return await count;
    } catch (error) {
      log.debug({ err: error }, 'the workers could not be counted');
      return null;
    }
  }

  async function close(): Promise<void> {
    clearInterval(yieldCheck);
    await worker?.close();
    probe.stop();
    await within(PATIENCE_MS, queue.close());
    connection.disconnect();
  }

  return {
    enqueue,
    requeue,
    async remove(callSid) {
      leases.abort(jobIdOf(callSid));
      await available();
      await answered(queue.remove(jobIdOf(callSid)));
    },
    work,
    state: async () => ((await probe.check()) ? 'up' : 'down'),
    isShared: true,
    workers,
    get followed() {
      return leases.size;
    },
    depth,
    jobs: queue,
    close,
  };
}

async function inPages(
  callSids: readonly string[],
  work: (page: readonly string[]) => Promise<void>,
): Promise<void> {
  for (let start = 0; start < callSids.length; start += ADD_AT_ONCE) {
    await work(callSids.slice(start, start + ADD_AT_ONCE));
  }
}

/** Rejects as the work does, and with `QueueUnavailableError` where it takes Redis longer than `patienceMs`. */
async function answered(work: Promise<unknown>, patienceMs = PATIENCE_MS): Promise<void> {
  if (!(await within(patienceMs, work))) throw new QueueUnavailableError('Redis does not answer');
  await work;
}
