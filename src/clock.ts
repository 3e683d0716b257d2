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
 * Sleepers wake at whole steps, all of a step together. Where few calls are followed, each poll would otherwise wake the
 * process by itself, for its question and again for its answer. And Node keeps one list of timers for each duration in
 * use: thousands of durations took 44 % of a worker's CPU with 10,000 calls and leases of 15 s (bench/profile.md).
 */
const STEP_MS = 20;

export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => wait(Math.min(ms, LONGEST_TIMER_MS), undefined, { signal }).catch(() => {}),
  sleeper,
};

/**
 * For tens of thousands of followers that sleep at a time. `sleep` would allocate some 2,100 bytes for each, since it
 * listens to the signal anew each time (Node 24). It matters because what a sleep allocates outlives the young
 * generation: only a full garbage collection frees it.
 */
function sleeper(signal: AbortSignal): Sleep {
  let wake = () => {};
  // Each lease makes a sleeper under the same signal. A property holds one listener, that of the newest sleeper, and
  // only that one ever sleeps.
  signal.onabort = () => wake();
  return (ms) => {
    if (signal.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    wake = resolve;
    steps.wakeIn(ms, resolve);
    return promise;
  };
}

/** All that sleep until one of the steps to come, with one timer for the first of these. */
class Steps {
  readonly #sleeping = new Map<number, (() => void)[]>();
  #first = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /** Calls `wake` so many milliseconds from now, rounded up to a step. */
  wakeIn(ms: number, wake: () => void): void {
    const step = Math.ceil((performance.now() + ms) / STEP_MS);
    const same = this.#sleeping.get(step);
    if (same === undefined) this.#sleeping.set(step, [wake]);
    else same.push(wake);
    if (step < this.#first) this.#arm(step);
  }

  #arm(step: number): void {
    clearTimeout(this.#timer);
    this.#first = step;
    const ms = Math.ceil(step * STEP_MS - performance.now());
    // Who was woken by a signal stays here until the step: that must not keep a process from ending.
    this.#timer = setTimeout(() => this.#turn(), Math.min(ms, LONGEST_TIMER_MS)).unref();
  }

  #turn(): void {
    // A timer may be a millisecond early.
    const now = performance.now() + 1;
    const due: (() => void)[][] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const [step, sleeping] of this.#sleeping) {
      if (step * STEP_MS > now) next = Math.min(next, step);
      else {
        this.#sleeping.delete(step);
        due.push(sleeping);
      }
    }
    this.#first = next;
    if (next < Number.POSITIVE_INFINITY) this.#arm(next);
    for (const sleeping of due) for (const wake of sleeping) wake();
  }
}

const steps = new Steps();

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
