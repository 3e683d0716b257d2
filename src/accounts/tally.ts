/** So many measures are kept, each of a tick: the best of them is what was accepted lately. */
const MEASURES = 10;

/**
 * What was asked, and what of it was accepted, tick by tick. A tick with a hold or a cut in it does not show what PolyAI
 * accepts, and is no measure. All times in milliseconds, monotonic; rates per second.
 */
export class Tally {
  readonly #tickMs: number;
  #startedAt: number;
  #asked = 0;
  #accepted = 0;
  #isMeasure = true;
  #last: { asked: number; acceptedPerSecond: number | null; ms: number } = {
    asked: 0,
    acceptedPerSecond: null,
    ms: 0,
  };
  /** Of the last ticks, in all processes. */
  #measures: number[] = [];
  #isTickMeasured = true;
  #isAccepting = false;

  constructor(tickMs: number, now: number) {
    this.#tickMs = tickMs;
    this.#startedAt = now;
  }

  ask(requests: number): void {
    this.#asked += requests;
  }

  accept(): void {
    this.#accepted++;
    this.#isAccepting = true;
  }

  /** Ends this tick and begins the next. */
  turn(now: number): void {
    const ms = now - this.#startedAt;
    const acceptedPerSecond = this.#isMeasure ? (this.#accepted * 1_000) / ms : null;
    this.#last = { asked: this.#asked, acceptedPerSecond, ms };
    this.#startedAt = now;
    this.#asked = 0;
    this.#accepted = 0;
    this.#isMeasure = true;
    this.#isTickMeasured = false;
  }

  /** Neither this tick nor the last shows what is accepted. */
  spoil(): void {
    this.#isMeasure = false;
    this.#accepted = 0;
    this.#last.acceptedPerSecond = null;
  }

  /** At a cut: what was accepted before tells nothing of what is now. */
  restart(): void {
    this.spoil();
    this.#measures = [];
    this.#isAccepting = false;
  }

  /** Once for each tick, with what the others accepted in theirs; null where that is not known. */
  measure(others: number | null): void {
    const own = this.#last.acceptedPerSecond;
    if (!this.#isTickMeasured && own !== null && others !== null) {
      this.#measures = [...this.#measures, own + others].slice(-MEASURES);
      this.#isAccepting ||= own + others > 0;
    }
    this.#isTickMeasured = true;
  }

  /** Whether anything was accepted since the last cut, in any process. */
  get isAccepting(): boolean {
    return this.#isAccepting;
  }

  /** The best of the last ticks, in all processes, or this one so far; null where it is not known. */
  acceptedLately(others: number | null, now: number): number | null {
    if (this.#measures.length === 0) return null;
    const soFar = (this.#accepted * 1_000) / Math.max(this.#tickMs, now - this.#startedAt);
    return Math.max(soFar + (others ?? 0), ...this.#measures) || null;
  }

  /** Requests in the last tick. */
  get asked(): number {
    return this.#last.asked;
  }

  /** In the last tick; null where it was no measure. */
  get acceptedPerSecond(): number | null {
    return this.#last.acceptedPerSecond;
  }

  /** In the last tick and in this one so far, which alone may be but a moment. */
  askedPerSecond(now: number): number {
    const ms = Math.max(this.#tickMs, this.#last.ms + now - this.#startedAt);
    return ((this.#last.asked + this.#asked) * 1_000) / ms;
  }
}
