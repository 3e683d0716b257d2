interface Waiting {
  at: number;
  work: () => void;
}

/**
 * Does each piece of work after the same time, in order. There is one timer for all that is due: a timer for each answer
 * would take more than the answer.
 */
export class Delay {
  #ms: number;
  #waiting: Waiting[] = [];

  constructor(ms: number) {
    this.#ms = ms;
  }

  /** For work to come. */
  set ms(ms: number) {
    this.#ms = ms;
  }

  put(work: () => void): void {
    if (this.#ms === 0) return work();
    this.#waiting.push({ at: performance.now() + this.#ms, work });
    if (this.#waiting.length === 1) setTimeout(() => this.#run(), this.#ms);
  }

  #run(): void {
    const now = performance.now();
    // Work that comes meanwhile is not due.
    const due = this.#waiting.findIndex(({ at }) => at > now);
    const ready = due === -1 ? this.#waiting : this.#waiting.slice(0, due);
    this.#waiting = due === -1 ? [] : this.#waiting.slice(due);
    const isTimerDue = this.#waiting.length > 0;
    for (const { work } of ready) work();
    const [first] = this.#waiting;
    if (isTimerDue && first !== undefined)
      setTimeout(() => this.#run(), Math.max(1, first.at - performance.now()));
  }
}
