/** A token bucket that holds a tenth of a second's worth: nobody can save up for a burst. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #capacity: number;
  #tokens: number;
  #filledAt: number;

  /** `now` is in milliseconds, by a clock that never goes back. */
  constructor(perSecond: number, now: number) {
    if (!(perSecond > 0 && Number.isFinite(perSecond))) {
      throw new RangeError(`${perSecond} requests a second are no limit`);
    }
    this.#perSecond = perSecond;
    this.#capacity = Math.max(1, perSecond / 10);
    this.#tokens = this.#capacity;
    this.#filledAt = now;
  }

  /** Whether one more request is within the limit; if so, it counts. */
  allows(now: number): boolean {
    const refill = ((now - this.#filledAt) / 1_000) * this.#perSecond;
    this.#tokens = Math.min(this.#capacity, this.#tokens + refill);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
