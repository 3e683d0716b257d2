import { isGoodKnown } from './cubic.ts';
import {
  type CutNews,
  cut,
  grown,
  isForgotten,
  NEVER_CUT,
  PROBES,
  type RateState,
  rateOf,
  resumed,
} from './rate.ts';
import type { Tally } from './tally.ts';

/** What a process knows when something happens. */
export interface Moment {
  now: number;
  /** The configured limit; null: none. */
  max: number | null;
  /** Per second, since the last cut; null where that is not known. */
  acceptedByOthers: number | null;
  /** This process's part of what all ask. */
  fraction: number;
}

/**
 * The echo of a cut. In this time a limiter may still count what was asked before it, and other processes may not have
 * heard of it.
 */
const ECHO_MS = 2_000;
/** Where nothing is accepted for so long after a cut, it is not the rate that is too high. */
const REFUSED_MS = 200;
/** So many requests are made meanwhile, where the rate is low. */
const REFUSED_REQUESTS = 5;

export type Condition = 'open' | 'limited' | 'refused';

/**
 * The limit of an account as one process knows it. An account is in one of three states:
 *
 * - Open: no limit is known but the configured one. The rate is that, or there is none.
 * - Limited: a limit was found, and the rate was cut below it. It grows again (`cubic.ts`).
 * - Refused: PolyAI refuses everything, whatever the rate. One probe a second finds out when that ends.
 *
 * What leads from one to another:
 *
 * - Open to limited: PolyAI answers 429. Most of what it accepted before is left (`rate.ts`).
 * - Limited to limited, at a lower rate: PolyAI answers 429 to a request that was asked more than 2 s after the cut. So
 *   one burst of 429s is one cut.
 * - Limited to refused: PolyAI answers 429 to a request that was asked more than 0.2 s and five requests after the cut,
 *   and has accepted none since the cut.
 * - Refused to limited: PolyAI accepts a request, of this process or another. The rate is what the cut had left, but no
 *   more than was accepted on the whole since the last such time. Where that is refused at once again, it is cut.
 * - Limited to open: the limit was not met where it was, and the rate has grown to the configured one or, without one, to
 *   more than twice what is wanted.
 * - Any to limited: another process reports a later cut, or the end of a refusal.
 *
 * It has no timers: all times are given, in milliseconds, monotonic; rates in requests per second.
 */
export class FoundLimit {
  readonly #tally: Tally;
  #state = NEVER_CUT;
  #isRefused = false;
  /** Whether it was refused until `#cutAt`. */
  #wasRefused = false;
  /** When this process cut, or heard that another had. */
  #cutAt = Number.NEGATIVE_INFINITY;

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  get state(): RateState {
    return this.#state;
  }

  get condition(): Condition {
    if (this.#isRefused) return 'refused';
    return isForgotten(this.#state) ? 'open' : 'limited';
  }

  /** Of all processes; Infinity: no limit. */
  rate(max: number | null): number {
    const rate = rateOf(this.#state, max);
    return this.#isRefused ? Math.min(rate, PROBES) : rate;
  }

  /** Counts a request that was accepted. Returns whether that ends a refusal: then `resume` is to be called. */
  accepted(askedAt: number): boolean {
    if (askedAt < this.#cutAt) return false;
    this.#tally.accept();
    return this.#isRefused;
  }

  /** Goes from refused to limited. */
  resume({ now, fraction }: Moment): void {
    const own = this.#tally.acceptedSinceResumed(now);
    const accepted = own === null ? null : own / fraction;
    this.#begin(resumed(this.#state, accepted, now - this.#cutAt), now);
  }

  /** A 429 that asks for such a hold. Returns whether the rate is another for it. */
  tooMany(askedAt: number, holdMs: number, moment: Moment): boolean {
    if (this.#isRefused) return false;
    const isAccepting = isForgotten(this.#state) || this.#tally.isAccepting;
    const refusedMs = Math.max(REFUSED_MS, (REFUSED_REQUESTS * 1_000) / this.rate(moment.max));
    if (askedAt < this.#cutAt + (isAccepting ? ECHO_MS : refusedMs)) return false;
    // Refused again as soon as it went on: what the last cut left is too much.
    if (isAccepting || this.#wasRefused) {
      this.#begin(cut(this.#state, this.#news(this.#state.cuts + 1, holdMs, moment)), moment.now);
      return true;
    }
    this.#isRefused = true;
    return true;
  }

  /** What the last tick shows. Where others are accepted, this process will be, too: that ends a refusal. */
  measure({ acceptedByOthers }: Moment): void {
    this.#tally.measure(acceptedByOthers);
    if (this.#tally.isAccepting) this.#isRefused = false;
  }

  grow(ms: number, max: number | null, wanted: number): void {
    this.#state = grown(this.#state, { ms, max, wanted });
  }

  /**
   * Takes over what all know together. Where the process that cut knew less of what is accepted than this one, its cut
   * is done again.
   */
  follow(state: RateState, moment: Moment): void {
    if (state.cuts === this.#state.cuts) {
      this.#state = state;
      return;
    }
    const news = this.#news(state.cuts, 0, moment);
    const knowsMore = !isGoodKnown(state) && news.accepted !== null;
    this.#begin(knowsMore ? cut(this.#state, news) : state, moment.now);
  }

  #news(cuts: number, holdMs: number, { now, max, acceptedByOthers, fraction }: Moment): CutNews {
    const accepted = this.#tally.acceptedLately(acceptedByOthers, now);
    const mean = this.#tally.acceptedSinceCut(now) / fraction;
    return { cuts, rate: this.rate(max), accepted, mean, holdMs };
  }

  #begin(state: RateState, now: number): void {
    this.#state = state;
    this.#cutAt = now;
    this.#wasRefused = this.#isRefused;
    this.#isRefused = false;
    if (this.#wasRefused) this.#tally.resume(now);
    else this.#tally.restart(now);
  }
}
