import type { Follow } from '../follow/lease.ts';

/** Says who follows which call. Postgres is the truth: what the queue forgets, the sweeper brings back from there. */
export interface CallQueue {
  /** Has the calls followed soon. Calls that are in the queue stay as they are. Throws `QueueUnavailableError`. */
  enqueue(callSids: readonly string[]): Promise<void>;
  /**
   * As `enqueue`, for calls that nobody follows though the queue may know them: their entries are made anew. While the
   * queue is away this process follows them itself, as far as it has room; then it throws as `enqueue` does.
   */
  requeue(callSids: readonly string[]): Promise<void>;
  /** Stops following the call, if this process does. A follower in another process finds out at its next write. */
  remove(callSid: string): Promise<void>;
  /**
   * Begins to follow calls; a process that never calls this only enqueues. While it is full, its oldest leases yield to
   * calls that wait, if `mayYield` says so: while Postgres is away no other call could begin.
   */
  work(follow: Follow, mayYield?: () => boolean): Promise<void>;
  /** Whether the queue takes what it is given, now. It answers within about a second, and never rejects. */
  state(): Promise<'up' | 'down'>;
  /** Whether other processes share it. */
  readonly isShared: boolean;
  /** How many processes follow calls; null where the queue cannot tell. It answers within about a second. */
  workers(): Promise<number | null>;
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
  /** To be taken up by a process with room. */
  waiting: number;
  /** Handed back. BullMQ counts them as waiting once a worker looks for jobs. */
  delayed: number;
}

/** The queue is away. The sweeper will bring in what could not be enqueued. */
export class QueueUnavailableError extends Error {
  override readonly name = 'QueueUnavailableError';
  readonly code = 'queue_unavailable';

  constructor(message = 'the queue is not available') {
    super(message);
  }
}
