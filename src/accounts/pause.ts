import type { Clock } from '../clock.ts';

const PROBE_EVERY_MS = 30_000;

/** The calls of an account while it is paused: when one of them probes, and the rest that sleep until it is over. */
export class Pause {
  readonly #clock: Clock;
  readonly #sleeping = new Set<() => void>();
  #probeAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get msToProbe(): number {
    return Math.max(0, this.#probeAt - this.#clock.monotonic());
  }

  /** A poll was refused, or is about to probe: the next probe is 30 s later. */
  postpone(): void {
    this.#probeAt = this.#clock.monotonic() + PROBE_EVERY_MS;
  }

  /** Whether the pause is over, or something else, before so many milliseconds or the signal's abort. */
  async sleep(ms: number, signal: AbortSignal): Promise<boolean> {
    const waking = new AbortController();
    // Without a reason each abort would make an error, with its stack.
    const wake = () => waking.abort('woken');
    if (signal.aborted) return false;
    signal.addEventListener('abort', wake);
    this.#sleeping.add(wake);
    await this.#clock.sleeper(waking.signal)(ms);
    this.#sleeping.delete(wake);
    signal.removeEventListener('abort', wake);
    return waking.signal.aborted && !signal.aborted;
  }

  /** Wakes all that sleep. The next poll may ask at once. */
  end(): void {
    this.#probeAt = this.#clock.monotonic();
    for (const wake of this.#sleeping) wake();
  }
}
