import { setTimeout as wait } from 'node:timers/promises';

export interface Clock {
  /** Wall clock: for what is written down. */
  now(): Date;
  /** Milliseconds that only go forward: for intervals and leases. */
  monotonic(): number;
  /** Resolves after so many milliseconds, or at once when the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** As `sleep`, for one sleep after another; a signal has one sleeper at a time. */
  sleeper(signal: AbortSignal): Sleep;
}

type Sleep = (ms: number) => Promise<void>;

/** Node fires a timer that is set for longer at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/**
 * Sleeps are rounded up to steps of 10 ms. Node keeps one list of timers for each duration in use; with thousands of
 * durations it makes and drops lists all the time. That took 44 % of a worker's CPU with 10,000 calls and leases of
 * 15 s; with the steps it takes 0.8 % (bench/profile.md).
 */
const STEP_MS = 10;

export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => wait(Math.min(ms, LONGEST_TIMER_MS), undefined, { signal }).catch(() => {}),
  sleeper,
};

/**
 * For tens of thousands of followers that sleep at a time. A sleep allocates some 280 bytes here, and some 2,100 in
 * `sleep`, which listens to the signal anew each time (Node 24). It matters because what a sleep allocates outlives the
 * young generation: only a full garbage collection frees it.
 */
function sleeper(signal: AbortSignal): Sleep {
  let timer: NodeJS.Timeout | undefined;
  let wake = () => {};
  // Each lease makes a sleeper under the same signal. A property holds one listener, that of the newest sleeper, and
  // only that one ever sleeps.
  signal.onabort = () => {
    clearTimeout(timer);
    wake();
  };
  return (ms) => {
    if (signal.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    timer = setTimeout(resolve, Math.min(Math.ceil(ms / STEP_MS) * STEP_MS, LONGEST_TIMER_MS));
    wake = resolve;
    return promise;
  };
}

/**
 * Whether the work ended, well or not, within so many milliseconds. Never rejects: how the work ended is told by the
 * work itself, to whoever awaits it. Where nobody does, its rejection is dropped, also one that comes too late.
 */
export function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, false);
    const ended = () => {
      clearTimeout(timer);
      resolve(true);
    };
    work.then(ended, ended);
  });
}
