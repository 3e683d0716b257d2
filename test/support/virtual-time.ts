import { setImmediate } from 'node:timers/promises';
import TinyQueue from 'tinyqueue';
import { vi } from 'vitest';

interface Timer {
  at: number;
  readonly order: number;
  readonly everyMs: number | null;
  readonly run: () => void;
  isCleared: boolean;
  unref(): Timer;
}

/**
 * The timers of Node in simulated time, in whole milliseconds. Unlike `vi.useFakeTimers` it has a heap: with tens of
 * thousands of timers a minute passes in a second or two. `vi.unstubAllGlobals` ends it.
 */
export class VirtualTime {
  #now = 0;
  #orders = 0;
  readonly #heap = new TinyQueue<Timer>([], (a, b) => a.at - b.at || a.order - b.order);

  constructor() {
    const clear = (timer: Timer | undefined) => {
      if (timer !== undefined) timer.isCleared = true;
    };
    vi.stubGlobal('setTimeout', (run: () => void, ms = 0) => this.at(this.#now + Math.max(1, ms), run));
    vi.stubGlobal('setInterval', (run: () => void, ms: number) => this.at(this.#now + ms, run, ms));
    vi.stubGlobal('clearTimeout', clear);
    vi.stubGlobal('clearInterval', clear);
  }

  get now(): number {
    return this.#now;
  }

  at(at: number, run: () => void, everyMs: number | null = null): Timer {
    const timer = {
      ...{ at: Math.max(this.#now, Math.ceil(at)), order: this.#orders++, everyMs, run, isCleared: false },
      unref: () => timer,
    };
    this.#heap.push(timer);
    return timer;
  }

  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    // What was promised before is kept first.
    await setImmediate();
    for (let next = this.#heap.peek(); next !== undefined && next.at <= end; next = this.#heap.peek()) {
      this.#now = next.at;
      this.#runDue();
      await setImmediate();
    }
    this.#now = end;
  }

  #runDue(): void {
    for (let next = this.#heap.peek(); next !== undefined && next.at <= this.#now; next = this.#heap.peek()) {
      this.#heap.pop();
      if (next.isCleared) continue;
      if (next.everyMs !== null) {
        next.at += next.everyMs;
        this.#heap.push(next);
      }
      next.run();
    }
  }
}
