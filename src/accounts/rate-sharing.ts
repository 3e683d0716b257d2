import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import { isReplyError } from '../network/redis-errors.ts';
import { merged, type RateReport, type RateState, shareOf } from './rate.ts';

export interface RateExchange {
  /** Publishes this process's report on the account, and returns those of the others that are alive. */
  exchange(account: string, report: RateReport): Promise<RateReport[]>;
}

interface RateSharingOptions {
  account: string;
  exchange: RateExchange;
  clock: Pick<Clock, 'monotonic'>;
  log: Logger;
  /** `onMissed` is called when an exchange has taken so long; its answer is still taken when it comes. */
  tickMs: number;
  report: () => RateReport;
  /** With the longest hold that is news, in milliseconds; 0: none. */
  onHeard: (holdMs: number) => void;
  onMissed: () => void;
}

/** That Redis is away the queue tells once for all; what Redis refuses of this, nobody else may know. */
const LEVELS = {
  silence: { begin: 'debug', end: 'debug' },
  refusal: { begin: 'warn', end: 'info' },
} as const;

/** Tells the other processes of an account what this one knows of its rate, and keeps what they last told. */
export class RateSharing {
  readonly #options: RateSharingOptions;
  #reports: ReadonlyMap<string, RateReport> = new Map();
  /** null: no exchange is under way. */
  #since: number | null = null;
  #hasTicked = false;
  /** Why the others were not heard of last; null where they were. */
  #missed: 'silence' | 'refusal' | null = null;
  #isStopped = false;

  constructor(options: RateSharingOptions) {
    this.#options = options;
  }

  tick(): void {
    this.#hasTicked = true;
    const { clock, tickMs } = this.#options;
    if (this.#since === null) this.exchange();
    else if (clock.monotonic() - this.#since >= tickMs) this.#miss('no answer');
  }

  /** Now, unless an exchange is under way. */
  exchange(): void {
    if (this.#since !== null || this.#isStopped) return;
    const { account, exchange, clock, report } = this.#options;
    this.#since = clock.monotonic();
    exchange
      .exchange(account, report())
      .finally(() => {
        this.#since = null;
      })
      .then(
        (reports) => this.#hear(reports),
        (error: unknown) => this.#miss(error),
      );
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Requests of the others in a tick. */
  get asked(): number {
    let sum = 0;
    for (const { asked } of this.#reports.values()) sum += asked;
    return sum;
  }

  /** Requests of the others that wait. */
  get waiting(): number {
    let sum = 0;
    for (const { waiting } of this.#reports.values()) sum += waiting;
    return sum;
  }

  /** By the others, since the cut of that number; null where one has not heard of it, or not measured since. */
  acceptedPerSecond(cuts: number): number | null {
    let sum = 0;
    for (const report of this.#reports.values()) {
      if (report.accepted === null || report.cuts !== cuts) return null;
      sum += report.accepted;
    }
    return sum;
  }

  /** The part of the rate that is this process's, whose demand is given. */
  fraction(mine: number): number {
    const others = [...this.#reports.values()].map(({ waiting, asked }) => waiting + asked);
    return shareOf(1, mine, others);
  }

  /** What is known to all, where this process knows as much as is given. */
  mergedWith(state: RateState): RateState {
    let known = state;
    for (const { cuts, good, low, backMs, grownMs } of this.#reports.values()) {
      known = merged(known, { cuts, good, low, backMs, grownMs: grownMs ?? Number.POSITIVE_INFINITY });
    }
    return known;
  }

  #hear(reports: readonly RateReport[]): void {
    if (this.#isStopped) return;
    const { account, log, onHeard } = this.#options;
    if (this.#missed !== null) log[LEVELS[this.#missed].end]({ account }, 'rate limit is shared again');
    this.#missed = null;
    const before = this.#reports;
    this.#reports = new Map(reports.map((report) => [report.process, report]));
    // A report that was heard before tells of a hold that has partly passed.
    const fresh = reports.filter(({ process, seq }) => before.get(process)?.seq !== seq);
    onHeard(fresh.reduce((longest, { holdMs }) => Math.max(longest, holdMs), 0));
  }

  #miss(error: unknown): void {
    // Before the first tick the connection may not be made yet.
    if (this.#isStopped || !this.#hasTicked) return;
    const { account, log, onMissed } = this.#options;
    const missed = isReplyError(error) ? 'refusal' : 'silence';
    if (this.#missed !== missed) {
      log[LEVELS[missed].begin]({ account, err: error }, 'rate limit is not shared: each keeps its part');
    }
    this.#missed = missed;
    onMissed();
  }
}
