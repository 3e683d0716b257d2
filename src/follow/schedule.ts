import type { Account, PollMetrics } from '../accounts/account.ts';
import type { FollowedCall } from '../call/call.ts';
import { backoffDelay, type Newcomers, nextPollDelay } from '../call/pace.ts';
import type { Clock } from '../clock.ts';
import type { PolyAiError } from '../polyai/polyai-error.ts';
import type { HandedOn } from './lease.ts';

export interface ScheduleOptions {
  metrics: Pick<PollMetrics, 'interval'>;
  /** Of this process. */
  newcomers: Newcomers;
  clock: Clock;
  /** Gives numbers in [0, 1). */
  random: () => number;
}

/** When one call is to be polled next. All times in milliseconds, by `clock.monotonic()`. */
export class Schedule {
  readonly #options: ScheduleOptions;
  readonly #account: Account;
  #statusSince: number;
  #nextPollAt: number;
  /** When a poll was due that a 429 put off; null where none was. */
  #putOffAt: number | null = null;
  #lastAskedAt: number | null;
  #isWaitingForAccount = false;

  constructor(options: ScheduleOptions, account: Account, call: FollowedCall, handedOn: HandedOn | null) {
    const { clock, newcomers } = options;
    const now = clock.monotonic();
    this.#options = options;
    this.#account = account;
    this.#statusSince = now - call.ageMs;
    this.#nextPollAt = now + (handedOn?.dueInMs ?? newcomers.firstPollDelay(now, account.connection.pace));
    this.#lastAskedAt = handedOn?.sinceAskedMs == null ? null : now - handedOn.sinceAskedMs;
  }

  get nextPollAt(): number {
    return this.#nextPollAt;
  }

  /** The poll's place in the line of its account: when it was due, before a 429 put it off. */
  get placeAt(): number {
    return this.#putOffAt ?? this.#nextPollAt;
  }

  /** Negative: the poll has been due for so long. */
  get dueInMs(): number {
    return this.#nextPollAt - this.#options.clock.monotonic();
  }

  /** The account is paused, and the call waits for it and not for a time of its own. */
  get isWaitingForAccount(): boolean {
    return this.#isWaitingForAccount;
  }

  /** Since the last poll of any result; null where there was none. */
  get sinceAskedMs(): number | null {
    return this.#lastAskedAt === null ? null : this.#options.clock.monotonic() - this.#lastAskedAt;
  }

  /** A poll was asked, and was answered or failed. */
  polled(askedAt: number): void {
    const { metrics } = this.#options;
    if (this.#lastAskedAt !== null) metrics.interval(this.#account.name, askedAt - this.#lastAskedAt);
    this.#lastAskedAt = askedAt;
    this.#isWaitingForAccount = false;
  }

  statusChanged(): void {
    this.#statusSince = this.#options.clock.monotonic();
  }

  /**
   * The interval runs from asking to asking, so that a slow answer does not stretch it. The next poll still waits for
   * the shortest interval after the answer.
   */
  afterAnswer(askedAt: number): void {
    const { clock, random } = this.#options;
    this.#putOffAt = null;
    const answeredAt = clock.monotonic();
    const { pace } = this.#account.connection;
    const delay = nextPollDelay(answeredAt - this.#statusSince, pace, random);
    this.#nextPollAt = Math.max(askedAt + delay, answeredAt + pace.intervalMinMs);
  }

  /**
   * `failures`: failed polls in a row, this one included. A 429 puts all polls of the account off, so that the poll that
   * met it keeps its place among them. It keeps it once: a call that is always refused must not be first again and again.
   */
  afterFailure(failures: number, { code, retryAfterMs }: PolyAiError): void {
    this.#putOffAt = code === 'too_many' && failures === 1 ? this.#nextPollAt : null;
    if (code === 'unauthorized' && this.#account.paused) return this.waitForAccount();
    const { clock, random } = this.#options;
    const delay = backoffDelay(failures, retryAfterMs, this.#account.connection.pace, random);
    this.#nextPollAt = clock.monotonic() + delay;
  }

  /**
   * The account is paused until its next probe; of its calls, the one that wakes first after that is the probe. Where the
   * pause ends before, `accountGoesOn` is to be called.
   */
  waitForAccount(): void {
    this.#isWaitingForAccount = true;
    this.#nextPollAt = this.#options.clock.monotonic() + this.#account.msToProbe() + this.#spread();
  }

  /** All calls that waited are polled again, each at its own time. */
  accountGoesOn(): void {
    this.#isWaitingForAccount = false;
    this.#nextPollAt = this.#options.clock.monotonic() + this.#spread();
  }

  #spread(): number {
    return this.#options.random() * this.#account.connection.pace.intervalMaxMs;
  }
}
