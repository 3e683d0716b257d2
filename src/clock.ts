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

export type Sleep = (ms: number) => Promise<void>;

/** setTimeout fires at once for anything longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/**
 * Node has a list of timers for each duration in use, and makes and drops lists all the time where there are thousands
 * of durations: half of what a poll takes.
 */
const STEP_MS = 10;

export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => wait(Math.min(ms, LONGEST_TIMER_MS), undefined, { signal }).catch(() => {}),
  sleeper,
};

/**
 * Tens of thousands of followers sleep at a time, and what a sleep allocates grows old before it is garbage: a third
 * of what `sleep` takes, since the signal is listened to once and not for each sleep.
 */
function sleeper(signal: AbortSignal): Sleep {
  let timer: NodeJS.Timeout | undefined;
  let wake = () => {};
  // Not a listener more for each lease under one signal: the last sleeper is the one that sleeps.
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

/** Whether the work ended, well or not, within so many milliseconds. */
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
