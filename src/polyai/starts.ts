import { setImmediate as nextTurn } from 'node:timers/promises';

const PER_TURN = 16;

/**
 * Lets a few requests begin at each turn of the event loop, in the order they came. Thousands that are due at once
 * would otherwise be under way all together: what each has made for itself is old by the time it is garbage, and that
 * costs half as much again. While answers take their time turns are short, and so nobody waits.
 */
export class Starts {
  #left = PER_TURN;
  #perTurn = PER_TURN;
  #isTurning = false;
  /** From `#next` on; what is before has begun. */
  #waiting: (() => void)[] = [];
  #next = 0;

  /** Resolves when it is this one's turn; no promise where it is at once. */
  turn(): undefined | Promise<void> {
    this.#beginTurns();
    if (this.#next < this.#waiting.length || this.#left === 0) {
      return new Promise((resolve) => this.#waiting.push(resolve));
    }
    this.#left--;
  }

  /** All that wait begin, and nobody waits any more; resolves when they have begun. */
  async open(): Promise<void> {
    this.#perTurn = Number.POSITIVE_INFINITY;
    this.#begin();
    await nextTurn();
  }

  #beginTurns(): void {
    if (this.#isTurning) return;
    this.#isTurning = true;
    setImmediate(() => {
      this.#isTurning = false;
      this.#begin();
    });
  }

  #begin(): void {
    const end = Math.min(this.#waiting.length, this.#next + this.#perTurn);
    this.#left = this.#perTurn - (end - this.#next);
    while (this.#next < end) this.#waiting[this.#next++]?.();
    // A shift at each would move all others.
    if (this.#next < this.#waiting.length / 2) return this.#beginTurns();
    this.#waiting = this.#waiting.slice(this.#next);
    this.#next = 0;
    if (this.#waiting.length > 0) this.#beginTurns();
  }
}
