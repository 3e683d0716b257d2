import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import { type Condition, FoundLimit, type Moment } from './found-limit.ts';
import { createLine, type Line, type Slot } from './line.ts';
import { isForgotten, type RateReport } from './rate.ts';
import { type RateExchange, RateSharing } from './rate-sharing.ts';
import { Tally } from './tally.ts';

/** The rate limit of one account in all processes, as this one has it. All times in milliseconds, monotonic. */
export interface RateLimit extends Pick<Line, 'slot' | 'charge' | 'setAtOnce'> {
  /** PolyAI took a request that was asked at that time, and did not answer 429. */
  accepted(askedAt: number): void;
  /**
   * PolyAI answered 429 to a request that was asked at `askedAt`, and asked to wait for so long; that is obeyed up to
   * five minutes, in all processes.
   */
  tooMany(retryAfterMs: number | null, askedAt: number): void;
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
 * Brings together the line of those who wait, the limit that was found (`FoundLimit` tells its states) and what the
 * processes tell each other. Each second they exchange reports, and each takes its share of the common rate; without
 * Redis each keeps the share it had. While PolyAI holds the account by `Retry-After`, nobody asks, and the rate does not
 * grow.
 */
class AccountRateLimit implements RateLimit {
  readonly #options: RateLimitOptions;
  readonly #tickMs: number;
  readonly #process = randomUUID();
  readonly #line: Line;
  readonly #tally: Tally;
  readonly #found: FoundLimit;
  /** null: there is no other process. */
  readonly #sharing: RateSharing | null;
  readonly #timer: NodeJS.Timeout;
  #max: number | null;
  #grownAt: number;
  /** Of the rate, until the others are heard again. */
  #fraction = 1;
  #seq = 0;
  /**
   * The end of the hold that PolyAI asked this process for. Only that one is reported: if processes reported each
   * other's holds too, a hold would never end.
   */
  #askedToHoldUntil = 0;
  #heldUntil = 0;
  #isIdle = false;
  /** As it was last said in the log. */
  #condition: Condition = 'open';

  constructor(options: RateLimitOptions) {
    const { clock, max, tickMs = 1_000 } = options;
    this.#options = options;
    this.#tickMs = tickMs;
    this.#max = max;
    this.#grownAt = clock.monotonic();
    this.#tally = new Tally(tickMs, this.#grownAt);
    this.#found = new FoundLimit(this.#tally);
    this.#line = createLine(clock);
    this.#line.setRate(this.rate);
    this.#timer = setInterval(() => this.#tick(), tickMs).unref();
    this.#sharing = this.#share();
    // The others may know a limit, which this process should hear of before its first poll.
    this.#sharing?.exchange();
  }

  slot(dueAt: number, until: number, signal: AbortSignal): Promise<Slot | null> {
    if (this.#isIdle) this.#wake();
    return this.#line.slot(dueAt, until, signal);
  }

  charge(): void {
    this.#line.charge();
  }

  setAtOnce(slots: number): void {
    this.#line.setAtOnce(slots);
  }

  accepted(askedAt: number): void {
    if (!this.#found.accepted(askedAt)) return;
    this.#found.resume(this.#moment());
    this.#tell();
  }

  tooMany(retryAfterMs: number | null, askedAt: number): void {
    if (retryAfterMs !== null) {
      this.#askedToHoldUntil = Math.max(this.#askedToHoldUntil, this.#hold(retryAfterMs));
    }
    this.#grow();
    if (this.#found.tooMany(askedAt, retryAfterMs ?? 0, this.#moment())) this.#tell();
  }

  setMax(perSecond: number | null): void {
    if (perSecond === this.#max) return;
    this.#max = perSecond;
    this.#grow();
  }

  get waiting(): number {
    return this.#line.waiting;
  }

  get rate(): number {
    return this.#found.rate(this.#max);
  }

  get share(): number {
    return this.rate * this.#fraction;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#sharing?.stop();
    this.#line.close();
  }

  #tick(): void {
    this.#line.look();
    const now = this.#now();
    this.#countAsked();
    this.#tally.turn(now);
    if (now < this.#heldUntil) this.#tally.hold();
    // Thousands of accounts may be idle, and who asks nothing is missed by nobody.
    this.#isIdle =
      this.rate === Number.POSITIVE_INFINITY && this.#tally.asked === 0 && this.#line.waiting === 0;
    if (this.#isIdle) this.#grownAt = now;
    else if (this.#sharing === null) this.#learn();
    else this.#sharing.tick();
  }

  /** A limit that the others may know is to be heard of now, not only at the next tick. */
  #wake(): void {
    this.#isIdle = false;
    this.#sharing?.exchange();
  }

  #share(): RateSharing | null {
    const { account, exchange, clock, log } = this.#options;
    if (exchange === null) return null;
    const sharing: RateSharing = new RateSharing({
      ...{ account, exchange, clock, log, tickMs: this.#tickMs },
      report: () => this.#report(),
      onHeard: (holdMs) => this.#hear(sharing, holdMs),
      // The share stays as it was: to take that of the others for free would double the rate.
      onMissed: () => this.#learn(),
    });
    return sharing;
  }

  #report(): RateReport {
    const { state } = this.#found;
    return {
      ...state,
      process: this.#process,
      seq: ++this.#seq,
      waiting: this.#line.waiting,
      asked: this.#tally.asked,
      accepted: this.#tally.acceptedPerSecond,
      grownMs: isForgotten(state) ? null : state.grownMs,
      holdMs: Math.max(0, this.#askedToHoldUntil - this.#now()),
    };
  }

  #hear(sharing: RateSharing, holdMs: number): void {
    if (holdMs > 0) this.#hold(holdMs);
    this.#fraction = sharing.fraction(this.#line.waiting + this.#tally.asked);
    this.#learn();
    this.#found.follow(sharing.mergedWith(this.#found.state), this.#moment());
    this.#line.setRate(this.share);
    this.#say(' to another process');
  }

  #learn(): void {
    this.#found.measure(this.#moment());
    this.#grow();
    this.#say();
  }

  #grow(): void {
    const now = this.#now();
    // A hold teaches nothing, and neither does the time in which a process stood still.
    const ms = now < this.#heldUntil ? 0 : Math.min(now - this.#grownAt, 2 * this.#tickMs);
    this.#grownAt = now;
    this.#found.grow(ms, this.#max, this.#wanted(now));
    this.#line.setRate(this.share);
  }

  /** Returns until when. */
  #hold(ms: number): number {
    const atMost = Math.min(ms, LONGEST_HOLD_MS);
    const until = this.#now() + atMost;
    this.#heldUntil = Math.max(this.#heldUntil, until);
    this.#line.hold(atMost);
    this.#tally.hold();
    return until;
  }

  /** The rate is another: the others hear of it now, and not only at the next tick. */
  #tell(): void {
    this.#line.setRate(this.share);
    this.#say();
    this.#sharing?.exchange();
  }

  /** One line per change. A limit that is kept to is met every minute or so, which is none. */
  #say(whom = ''): void {
    const { condition } = this.#found;
    const before = this.#condition;
    if (condition === before) return;
    this.#condition = condition;
    const { account, log } = this.#options;
    const words = {
      open: 'account slowed no more: PolyAI accepts all that is asked',
      limited:
        before === 'open'
          ? `account slowed: PolyAI answered 429${whom}`
          : 'account goes on: PolyAI accepts requests again',
      refused: 'account probes: PolyAI answers nothing but 429',
    };
    log.info({ account, rate: this.rate }, words[condition]);
  }

  #moment(): Moment {
    const acceptedByOthers =
      this.#sharing === null ? 0 : this.#sharing.acceptedPerSecond(this.#found.state.cuts);
    return { now: this.#now(), max: this.#max, acceptedByOthers, fraction: this.#fraction };
  }

  /** In all processes: what is asked per second, and all that waits. In a hold nothing is asked. */
  #wanted(now: number): number {
    this.#countAsked();
    const others = this.#sharing ?? { asked: 0, waiting: 0 };
    const asked = this.#tally.askedPerSecond(now) + (others.asked * 1_000) / this.#tickMs;
    return asked + this.#line.waiting + others.waiting;
  }

  #countAsked(): void {
    this.#tally.ask(this.#line.takeAsked());
  }

  #now(): number {
    return this.#options.clock.monotonic();
  }
}
