import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import { createLine, type Line } from './line.ts';
import {
  initialState,
  knownRate,
  nextState,
  type RateNews,
  type RateReport,
  type RateState,
  shareOf,
} from './rate.ts';

export interface RateExchange {
  /** Publishes this process's report on the account, and returns those of the others that are alive. */
  exchange(account: string, report: RateReport): Promise<RateReport[]>;
}

/** The rate limit of one account in all processes, as this one has it. All times in milliseconds, monotonic. */
export interface RateLimit extends Pick<Line, 'slot' | 'charge'> {
  /** PolyAI answered 429, and asked to wait for so long; that is obeyed up to five minutes, in all processes. */
  tooMany(retryAfterMs: number | null): void;
  /** Polls per second of all processes, more than 0; null: no limit until PolyAI answers 429. */
  setMax(perSecond: number | null): void;
  /** Polls here that wait for a slot. */
  readonly waiting: number;
  /** Polls per second of all processes; Infinity: no limit. */
  readonly rate: number;
  /** Polls per second of this process. */
  readonly share: number;
  /** All that wait resolve false. */
  stop(): void;
}

interface RateLimitOptions {
  account: string;
  /** As `setMax` has it. */
  max: number | null;
  /** null: there is no other process. */
  exchange: RateExchange | null;
  clock: Pick<Clock, 'monotonic'>;
  log: Logger;
  tickMs?: number;
}

const LONGEST_HOLD_MS = 5 * 60_000;

export function createRateLimit(options: RateLimitOptions): RateLimit {
  return new AccountRateLimit(options);
}

/**
 * The limit is always in one of these states:
 *
 * - unlimited: no limit is configured or known, and every poll goes at once;
 * - limited: polls go at this process's share of the account's rate, which grows second by second up to the configured
 *   limit.
 *
 * It goes from unlimited to limited, at half of what was asked per second, when PolyAI answers 429. It follows to a
 * lower rate that another process reports. A 429 while it is limited halves the rate again, unless it comes within 2 s
 * of the last cut. Without a configured limit it goes back to unlimited 60 s after the last cut, once the rate is more
 * than twice what is asked for. `rate.ts` reckons all this.
 *
 * Beside that it may be
 *
 * - held: PolyAI asked for it by `Retry-After`; no poll has a slot, and the rate does not grow, until that time is over;
 * - idle: unlimited, with nothing asked in the last second; the others are told nothing until a poll asks for a slot;
 * - alone: the others could not be heard; the share stays as it was until they are heard again.
 *
 * Once stopped it is over: no poll gets a slot.
 */
class AccountRateLimit implements RateLimit {
  readonly #options: RateLimitOptions;
  readonly #tickMs: number;
  readonly #line: Line;
  readonly #timer: NodeJS.Timeout;
  readonly #process = randomUUID();
  #max: number | null;
  #state: RateState;
  #stateAt: number;
  /** Of the rate, until the others are heard again. */
  #fraction = 1;
  #others: ReadonlyMap<string, RateReport> = new Map();
  #seq = 0;
  #tooMany = 0;
  /**
   * The end of the hold that PolyAI asked this process for. Only that one is reported: if processes reported each
   * other's holds too, a hold would never end.
   */
  #askedToHoldUntil = 0;
  #heldUntil = 0;
  #lastTick = { asked: 0, ms: 0 };
  #thisTick: { asked: number; startedAt: number };
  #isIdle = false;
  #isExchanging = false;
  #isAlone = false;
  #isStopped = false;

  constructor(options: RateLimitOptions) {
    const { clock, max, tickMs = 1_000 } = options;
    this.#options = options;
    this.#tickMs = tickMs;
    this.#max = max;
    this.#state = initialState(max);
    this.#stateAt = clock.monotonic();
    this.#thisTick = { asked: 0, startedAt: this.#stateAt };
    this.#line = createLine(clock);
    this.#line.setRate(this.#state.rate);
    this.#timer = setInterval(() => this.#tick(), tickMs).unref();
    // The others may know a limit, which this process should hear of before its first poll.
    this.#exchange();
  }

  slot(dueAt: number, until: number, signal: AbortSignal): Promise<boolean> {
    if (this.#isIdle) this.#wake();
    return this.#line.slot(dueAt, until, signal);
  }

  charge(): void {
    this.#line.charge();
  }

  tooMany(retryAfterMs: number | null): void {
    this.#tooMany++;
    if (retryAfterMs !== null)
      this.#askedToHoldUntil = Math.max(this.#askedToHoldUntil, this.#hold(retryAfterMs));
    this.#advance({ cut: true });
  }

  setMax(perSecond: number | null): void {
    if (perSecond === this.#max) return;
    this.#max = perSecond;
    this.#advance({});
  }

  get waiting(): number {
    return this.#line.waiting;
  }

  get rate(): number {
    return this.#state.rate;
  }

  get share(): number {
    return this.#state.rate * this.#fraction;
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
    this.#line.close();
  }

  #tick(): void {
    this.#line.expire();
    const now = this.#now();
    this.#countAsked();
    this.#lastTick = { asked: this.#thisTick.asked, ms: now - this.#thisTick.startedAt };
    this.#thisTick = { asked: 0, startedAt: now };
    const isUnlimited = this.#state.rate === Number.POSITIVE_INFINITY;
    // Thousands of accounts may be idle, and who asks nothing is missed by nobody.
    this.#isIdle = isUnlimited && this.#lastTick.asked === 0 && this.#line.waiting === 0;
    if (this.#isIdle) this.#stateAt = now;
    else if (this.#options.exchange === null) this.#advance({});
    else if (this.#isExchanging) this.#missOthers('no answer');
    else this.#exchange();
  }

  /** A limit that the others may know is to be heard of now, not only at the next tick. */
  #wake(): void {
    this.#isIdle = false;
    if (!this.#isExchanging) this.#exchange();
  }

  #exchange(): void {
    const { exchange, account } = this.#options;
    if (exchange === null) return;
    this.#isExchanging = true;
    exchange
      .exchange(account, this.#report())
      .finally(() => {
        this.#isExchanging = false;
      })
      .then(
        (reports) => this.#hear(reports),
        (error: unknown) => this.#missOthers(error),
      );
  }

  #report(): RateReport {
    return {
      process: this.#process,
      seq: ++this.#seq,
      waiting: this.#line.waiting,
      asked: this.#lastTick.asked,
      rate: knownRate(this.#state),
      tooMany: this.#tooMany,
      holdMs: Math.max(0, this.#askedToHoldUntil - this.#now()),
    };
  }

  #hear(reports: readonly RateReport[]): void {
    if (this.#isStopped) return;
    if (this.#isAlone) this.#options.log.info(this.#fields(), 'rate limit is shared again');
    this.#isAlone = false;
    const before = this.#others;
    this.#others = new Map(reports.map((report) => [report.process, report]));
    // A report that was heard before tells of a hold that has partly passed.
    const fresh = reports.filter(({ process, seq }) => before.get(process)?.seq !== seq);
    for (const { holdMs } of fresh) if (holdMs > 0) this.#hold(holdMs);
    const othersCut = fresh.some(({ process, tooMany }) => tooMany > (before.get(process)?.tooMany ?? 0));
    this.#fraction = shareOf(1, this.#line.waiting + this.#lastTick.asked, reports.map(demandOf));
    this.#advance({ othersCut, othersRate: lowestRate(reports) });
  }

  /** The share stays as it was: to take that of the others for free would double the rate. */
  #missOthers(error: unknown): void {
    // Before the first tick the connection may not be made yet.
    if (this.#isStopped || this.#lastTick.ms === 0) return;
    if (!this.#isAlone) {
      this.#options.log.warn(
        { ...this.#fields(), err: error },
        'rate limit is not shared: each keeps its part',
      );
    }
    this.#isAlone = true;
    this.#advance({});
  }

  #advance(news: Partial<RateNews>): void {
    const now = this.#now();
    const before = this.#state;
    this.#state = nextState(before, {
      cut: false,
      othersCut: false,
      othersRate: null,
      ...news,
      max: this.#max,
      askedPerSecond: this.#askedPerSecond(now),
      // A process that stood still has learnt nothing in that time.
      elapsedMs: Math.min(now - this.#stateAt, 2 * this.#tickMs),
      held: now < this.#heldUntil,
    });
    this.#stateAt = now;
    this.#line.setRate(this.share);
    if (this.#state.sinceCutMs < before.sinceCutMs) {
      this.#options.log.info(this.#fields(), 'account slowed: PolyAI answered 429');
    }
  }

  /** Returns until when. */
  #hold(ms: number): number {
    const atMost = Math.min(ms, LONGEST_HOLD_MS);
    const until = this.#now() + atMost;
    this.#heldUntil = Math.max(this.#heldUntil, until);
    this.#line.hold(atMost);
    return until;
  }

  #countAsked(): void {
    this.#thisTick.asked += this.#line.takeAsked();
  }

  /** In all processes: in the last tick and in this one so far, which alone may be but a moment. */
  #askedPerSecond(now: number): number {
    this.#countAsked();
    const asked = this.#lastTick.asked + this.#thisTick.asked;
    const ms = Math.max(this.#tickMs, this.#lastTick.ms + now - this.#thisTick.startedAt);
    let others = 0;
    for (const report of this.#others.values()) others += report.asked;
    return (asked * 1_000) / ms + (others * 1_000) / this.#tickMs;
  }

  #fields(): { account: string; rate: number } {
    return { account: this.#options.account, rate: this.#state.rate };
  }

  #now(): number {
    return this.#options.clock.monotonic();
  }
}

function demandOf({ waiting, asked }: RateReport): number {
  return waiting + asked;
}

function lowestRate(reports: readonly RateReport[]): number | null {
  const rates = reports.map(({ rate }) => rate).filter((rate) => rate !== null);
  return rates.length === 0 ? null : Math.min(...rates);
}
