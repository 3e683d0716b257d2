import { setTimeout as sleep } from 'node:timers/promises';
import { DelayedError, ErrorCode, type Job, Worker } from 'bullmq';
import type { Logger } from 'pino';
import { within } from '../clock.ts';
import type { Follow, HandedOn } from '../follow/lease.ts';
import { type CallJob, QUEUE_NAME } from './call-job.ts';
import { HAND_BACK_WITHIN_MS, hold } from './holding.ts';
import { jobIdOf } from './job-id.ts';
import type { Leases } from './leases.ts';
import { renewLocks } from './locks.ts';
import { connectRedis, isReady } from './redis.ts';
import type { WriteProbe } from './write-probe.ts';

interface BullmqWorkerOptions {
  redisUrl: string;
  prefix: string;
  concurrency: number;
  leases: Leases;
  probe: WriteProbe;
  follow: Follow;
  /** Adds a job anew for a call that the queue has lost. Rejects where Redis does not take it. */
  addAnew(callSid: string, handedOn: HandedOn | null): Promise<void>;
  log: Logger;
}

export interface BullmqWorker {
  /**
   * Follows calls without the queue, as far as there is room; they go to the queue when it is back. Returns whether
   * there was room for all.
   */
  followHere(callSids: readonly string[]): boolean;
  /** Takes no more calls, and resolves when all are handed back, or after 5 s. */
  close(): Promise<void>;
}

const LOCK_MS = 30_000;
const RENEW_LOCKS_EVERY_MS = LOCK_MS / 3;
const STALLED_CHECK_MS = 15_000;
/** BullMQ asks for a job again at once where Redis refused one. */
const REST_MS = 1_000;
/** In which every worker has found that Redis is back, and has renewed its locks: before that, none looks for stalled jobs. */
const OTHERS_RENEW_MS = 2 * REST_MS;
/** BullMQ's blocking connection is like it, and a command on that blocks for up to 10 s. */
const PATIENCE_MS = 15_000;
/** Tells BullMQ that a job was moved to `delayed`. One for all: a new error each time would make a new stack. */
const HANDED_BACK = new DelayedError();
/** With these BullMQ says that Redis answered, and no longer has the job where this worker had it. */
const LOST = new Set<unknown>([
  ErrorCode.JobNotExist,
  ErrorCode.JobLockNotExist,
  ErrorCode.JobLockMismatch,
  ErrorCode.JobNotInState,
]);

/** Takes jobs from BullMQ and has their calls followed. A job is active, and its lock renewed, for one lease. */
export function startBullmqWorker(options: BullmqWorkerOptions): BullmqWorker {
  const { redisUrl, prefix, concurrency, leases, probe, follow, addAnew, log } = options;
  const closing = new AbortController();
  /** Calls that are followed without the queue. */
  const here = new Map<string, Promise<unknown>>();
  let rests = false;

  const connection = connectRedis(redisUrl, { maxRetriesPerRequest: null, patienceMs: PATIENCE_MS }, log);
  const worker = new Worker<CallJob>(QUEUE_NAME, (job, token = '') => followJob(job, token), {
    connection,
    prefix,
    concurrency,
    lockDuration: LOCK_MS,
    skipLockRenewal: true,
    // BullMQ asks for the version once: an answer that is lost with the connection would stop the worker for ever.
    skipVersionCheck: true,
    stalledInterval: STALLED_CHECK_MS,
    // A call is followed on however often its worker died.
    maxStalledCount: Number.MAX_SAFE_INTEGER,
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 0 },
    runRetryDelay: 1_000,
  });
  worker.on('error', (error) => {
    if (isLost(error)) return log.debug({ err: error }, 'a job went to another worker');
    probe.refused('taking and ending jobs', error);
    void rest();
  });
  probe.onDown = () => void rest();
  void renewAgainAndAgain();

  const holding = {
    leases,
    follow,
    // A call handed back to workers that rest would not be polled meanwhile.
    takesBack: () => !rests && probe.isUp && isReady(connection),
    refused: (error: unknown) => probe.refused('handing back a call', error),
    closing: closing.signal,
  };

  async function followJob(job: Job<CallJob>, token: string): Promise<void> {
    const { callSid, handedOn } = job.data;
    const handBack = (handOn: HandedOn | null) => handBackJob(job, token, handOn);
    if (closing.signal.aborted) {
      // BullMQ gives a worker that closes one more job, mostly one that it has just handed back.
      await within(HAND_BACK_WITHIN_MS, handBack(handedOn).catch(holding.refused));
      throw HANDED_BACK;
    }
    const isDone = await hold({ callSid, id: jobIdOf(callSid), token, handedOn, handBack }, holding);
    if (!isDone) throw HANDED_BACK;
  }

  /**
   * Due at once: it is the next lease that waits for the next poll, by a clock that does not jump. A job that Redis lost
   * is added again; that does nothing where another worker has it.
   */
  async function handBackJob(job: Job<CallJob>, token: string, handedOn: HandedOn | null): Promise<void> {
    try {
      await job.updateData({ ...job.data, handedOn });
      await job.moveToDelayed(Date.now(), token);
    } catch (error) {
      if (!isLost(error)) throw error;
      log.debug({ callSid: job.data.callSid, err: error }, 'added again: the job is not where it was');
      await addAnew(job.data.callSid, handedOn);
    }
  }

  function followHere(callSids: readonly string[]): boolean {
    for (const callSid of callSids) {
      const id = jobIdOf(callSid);
      if (leases.hasCall(id)) continue;
      if (leases.isFull || closing.signal.aborted) return false;
      const handBack = (handedOn: HandedOn) => addAnew(callSid, handedOn);
      const held = hold({ callSid, id, token: null, handedOn: null, handBack }, holding);
      here.set(
        id,
        held.finally(() => here.delete(id)),
      );
    }
    return true;
  }

  /** Takes no jobs until Redis takes writes. Then all is put right that could not be done meanwhile. */
  async function rest(): Promise<void> {
    if (rests || closing.signal.aborted) return;
    rests = true;
    await worker.pause(true);
    let wasDown = false;
    do {
      await pause(REST_MS);
      if (await probe.check()) await renew();
      else wasDown = true;
    } while (!closing.signal.aborted && !probe.isUp);
    if (wasDown) await pause(OTHERS_RENEW_MS);
    rests = false;
    for (const id of here.keys()) leases.abort(id);
    if (!closing.signal.aborted) await worker.resume();
  }

  async function renewAgainAndAgain(): Promise<void> {
    while (!closing.signal.aborted) {
      await pause(RENEW_LOCKS_EVERY_MS);
      if (!closing.signal.aborted && probe.isUp) await renew();
    }
  }

  function renew(): Promise<void> {
    return renewLocks({
      leases,
      redis: connection,
      jobPrefix: `${prefix}:${QUEUE_NAME}`,
      extend: (jobIds, tokens, lockMs) => worker.extendJobLocks(jobIds, tokens, lockMs),
      lockMs: LOCK_MS,
      refused: (error) => probe.refused('renewing locks', error),
    });
  }

  async function pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: closing.signal }).catch(() => {});
  }

  async function close(): Promise<void> {
    closing.abort();
    const closed = worker.close();
    leases.abortAll();
    if (!(await within(HAND_BACK_WITHIN_MS, Promise.all([closed, ...here.values()])))) {
      log.warn('Redis did not take all calls back in time');
    }
    connection.disconnect();
  }

  return { followHere, close };
}

function isLost(error: unknown): boolean {
  return error instanceof Error && 'code' in error && LOST.has(error.code);
}
