/** So many measures are kept, each of a tick: the best of them is what was accepted lately. */
const MEASURES = 10;
/** A limit of so long or longer shows in refusals, and one of less in the measures of ticks. */
const SHORTEST_WINDOW_MS = 5_000;

interface Sum {
  readonly at: number;
  accepted: number;
}

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
  /** In this process since the last cut. */
  #sinceCut: Sum;
  /** In this process since it last went on after a refusal; null: it never did. */
  #sinceResumed: Sum | null = null;

  constructor(tickMs: number, now: number) {
    this.#tickMs = tickMs;
    this.#startedAt = now;
    this.#sinceCut = { at: now, accepted: 0 };
  }

  ask(requests: number): void {
    this.#asked += requests;
  }

  accept(): void {
    this.#accepted++;
    this.#sinceCut.accepted++;
    if (this.#sinceResumed !== null) this.#sinceResumed.accepted++;
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

  /** In a hold nothing is asked, and so it tells nothing of what would be accepted. */
  hold(): void {
    this.spoil();
    this.#sinceResumed = null;
  }

  /** At a cut: what was accepted before tells nothing of what is now. */
  restart(now: number): void {
    this.spoil();
    this.#measures = [];
    this.#isAccepting = false;
    this.#sinceCut = { at: now, accepted: 0 };
  }

  /** After a refusal. */
  resume(now: number): void {
    this.restart(now);
    this.#sinceResumed = { at: now, accepted: 0 };
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

  /** By this process since the cut, on the whole. */
  acceptedSinceCut(now: number): number {
    return this.#perSecond(this.#sinceCut, now);
  }

  /** By this process from the end of the refusal before until now, the end of this one; null: it is not known. */
  acceptedSinceResumed(now: number): number | null {
    const since = this.#sinceResumed;
    return since === null || now - since.at < SHORTEST_WINDOW_MS ? null : this.#perSecond(since, now);
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

  #perSecond({ at, accepted }: Sum, now: number): number {
    return (accepted * 1_000) / Math.max(this.#tickMs, now - at);
  }
}
