import { isGoodKnown } from './cubic.ts';
import { cut, grown, isForgotten, NEVER_CUT, PROBES, type RateState, rateOf, resumed } from './rate.ts';
import type { Tally } from './tally.ts';

/** What a process knows when something happens. */
export interface Moment {
  now: number;
  /** The configured limit; null: none. */
  max: number | null;
  /** Per second, since the last cut; null where that is not known. */
  acceptedByOthers: number | null;
}

/**
 * The echo of a cut. In this time a limiter may still count what was asked before it, and other processes may not have
 * heard of it.
 */
const ECHO_MS = 2_000;
/** Where nothing is accepted for so long after a cut, it is not the rate that is too high. */
const REFUSED_MS = 200;

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
 * - Limited to refused: PolyAI answers 429 to a request that was asked more than 0.2 s after the cut, and has accepted
 *   none since the cut.
 * - Refused to limited: PolyAI accepts a request, of this process or another. The rate is what the cut had left.
 * - Limited to open: the rate has grown to the configured one. Without a configured one: the rate has grown for a minute,
 *   and to more than twice what is asked.
 * - Any to limited: another process reports a later cut, or the end of a refusal.
 *
 * It has no timers: all times are given, in milliseconds, monotonic; rates in requests per second.
 */
export class FoundLimit {
  readonly #tally: Tally;
  #state = NEVER_CUT;
  #isRefused = false;
  /** When this process cut, or heard that another had. */
  #cutAt = Number.NEGATIVE_INFINITY;

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  get state(): RateState {
    return this.#state;
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
  resume(now: number): void {
    this.#begin(resumed(this.#state), now);
  }

  /** A 429. Returns what follows from it. */
  tooMany(askedAt: number, moment: Moment): 'cut' | 'refused' | null {
    if (this.#isRefused) return null;
    if (isForgotten(this.#state) || this.#tally.isAccepting) {
      if (askedAt < this.#cutAt + ECHO_MS) return null;
      const news = {
        cuts: this.#state.cuts + 1,
        rate: this.rate(moment.max),
        accepted: this.#acceptedLately(moment),
      };
      this.#begin(cut(this.#state, news), moment.now);
      return 'cut';
    }
    if (askedAt < this.#cutAt + REFUSED_MS) return null;
    this.#isRefused = true;
    return 'refused';
  }

  /** What the last tick shows. Returns whether that ends a refusal: others are accepted, and so this process will be. */
  measure({ acceptedByOthers }: Moment): boolean {
    this.#tally.measure(acceptedByOthers);
    if (!this.#isRefused || !this.#tally.isAccepting) return false;
    this.#isRefused = false;
    return true;
  }

  grow(ms: number, max: number | null, askedPerSecond: number): void {
    this.#state = grown(this.#state, { ms, max, askedPerSecond });
  }

  /**
   * Takes over what all know together. Returns whether that has slowed the account. Where the process that cut knew less
   * of what is accepted than this one, its cut is done again.
   */
  follow(state: RateState, moment: Moment): boolean {
    if (state.cuts === this.#state.cuts) {
      this.#state = state;
      return false;
    }
    const rate = this.rate(moment.max);
    const accepted = isGoodKnown(state) ? null : this.#acceptedLately(moment);
    const next = accepted === null ? state : cut(this.#state, { cuts: state.cuts, rate, accepted });
    this.#begin(next, moment.now);
    return this.rate(moment.max) < rate;
  }

  #acceptedLately({ acceptedByOthers, now }: Moment): number | null {
    return this.#tally.acceptedLately(acceptedByOthers, now);
  }

  #begin(state: RateState, now: number): void {
    this.#state = state;
    this.#cutAt = now;
    this.#isRefused = false;
    this.#tally.restart();
  }
}
