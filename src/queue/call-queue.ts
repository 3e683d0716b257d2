import type { Follow } from '../follow/lease.ts';

/** Who follows which call. It holds no truth: what it forgets, the sweeper brings back from Postgres. */
export interface CallQueue {
  /** Has the calls followed soon. A call that is in the queue already stays as it is. Rejects where the queue is away. */
  enqueue(callSids: readonly string[]): Promise<void>;
  /** As `enqueue`, for calls that should have been followed long since: what the queue has of them is made anew. */
  requeue(callSids: readonly string[]): Promise<void>;
  /** Stops following a call, here and at once; elsewhere its follower finds out at its next write. */
  remove(callSid: string): Promise<void>;
  /**
   * Begins to follow what is enqueued; without it, this process only enqueues. Where it is full, calls yield to those
   * that wait as long as `mayYield`: while Postgres is away none could begin.
   */
  work(follow: Follow, mayYield?: () => boolean): Promise<void>;
  /** Whether the queue answers now. */
  state(): Promise<'up' | 'down'>;
  /** How many calls this process follows. */
  readonly followed: number;
  /** Calls in the queue of all processes; null where the queue does not answer. */
  depth(): Promise<QueueDepth | null>;
  /** Takes no more work, lets followers hand back what they hold, and resolves when all have. */
  close(): Promise<void>;
}

export interface QueueDepth {
  /** Followed by some process. */
  active: number;
  waiting: number;
  /** Handed back, and waiting as soon as a worker looks. */
  delayed: number;
}

/** The queue cannot be reached for now; the sweeper will bring in what could not be enqueued. */
export class QueueUnavailableError extends Error {
  override readonly name = 'QueueUnavailableError';
  readonly code = 'queue_unavailable';

  constructor() {
    super('the queue is not available');
  }
}
