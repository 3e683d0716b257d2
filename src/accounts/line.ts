import TinyQueue from 'tinyqueue';
import type { Clock } from '../clock.ts';

/**
 * The polls of this process that wait for a slot. The poll that became due first goes first; of two that became due at
 * the same time, the one that joined first. A call that is handed from lease to lease therefore keeps its place. All
 * times are milliseconds of `clock.monotonic()`.
 */
export interface Line {
  /**
   * Resolves true when this poll has a slot. Resolves false when its `signal` is aborted, and when `expire` finds that
   * `until` has passed.
   */
  slot(dueAt: number, until: number, signal: AbortSignal): Promise<boolean>;
  /**
   * Counts a request that went without waiting: the polls that follow go the later for it. Every second slot stays
   * with the polls, or a busy client of the drop-in would keep all calls from being polled.
   */
  charge(): void;
  /** Gives out no slot for `ms`. A longer hold in force stays. */
  hold(ms: number): void;
  /** Slots per second, more than 0; Infinity: every poll goes at once. */
  setRate(perSecond: number): void;
  /** Lets go of the polls whose `until` has passed. */
  expire(): void;
  /** How many polls wait. */
  readonly waiting: number;
  /** How many slots and charges there were since this was last called. */
  takeAsked(): number;
  /** Every poll that waits, or comes later, gets no slot. */
  close(): void;
}

interface Waiter {
  readonly dueAt: number;
  readonly arrival: number;
  readonly until: number;
  readonly leave: (hasSlot: boolean) => void;
  hasLeft: boolean;
}

/** A timer that is late by up to so much gives its slots all the same; slots of a longer time would be a burst. */
const MAX_LAG_MS = 50;
/** Polls that left stay in the heap until they are so many, and more than those that wait. */
const MIN_LEFT_TO_SWEEP = 1_000;
/** Requests that did not wait delay polls by at most so much. */
const MAX_DEBT_MS = 10_000;
/** setTimeout cannot wait for more than 25 days. Waking in between does no harm. */
const LONGEST_TIMER_MS = 60_000;

/** A line without a limit, until `setRate` sets one. */
export function createLine(clock: Pick<Clock, 'monotonic'>): Line {
  return new WaitingLine(clock);
}

class WaitingLine implements Line {
  readonly #clock: Pick<Clock, 'monotonic'>;
  #heap = new TinyQueue<Waiter>([], byDue);
  #waiting = 0;
  #arrivals = 0;
  #asked = 0;
  /** Between two slots. */
  #intervalMs = 0;
  /** Requests that went without waiting, and whose slots are still to be skipped. */
  #debt = 0;
  /** When the next slot is, unless a hold lasts longer. */
  #nextAt = 0;
  #heldUntil = 0;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer fires; Infinity without a timer. */
  #timerAt = Number.POSITIVE_INFINITY;
  #isClosed = false;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  get waiting(): number {
    return this.#waiting;
  }

  slot(dueAt: number, until: number, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted || this.#isClosed) return Promise.resolve(false);
    if (this.#waiting === 0 && this.#opensAt() <= this.#clock.monotonic()) {
      // Slots in the past were nobody's: they are not made up for.
      this.#nextAt = Math.max(this.#nextAt, this.#clock.monotonic());
      this.#take();
      return Promise.resolve(true);
    }
    return new Promise((resolve) => this.#join(dueAt, until, signal, resolve));
  }

  charge(): void {
    const now = this.#clock.monotonic();
    this.#asked++;
    if (this.#waiting === 0 && this.#nextAt <= now) this.#nextAt = now + this.#intervalMs;
    else if (this.#debt * this.#intervalMs < MAX_DEBT_MS) this.#debt++;
  }

  hold(ms: number): void {
    this.#heldUntil = Math.max(this.#heldUntil, this.#clock.monotonic() + ms);
  }

  setRate(perSecond: number): void {
    const intervalMs = 1_000 / perSecond;
    if (intervalMs === this.#intervalMs) return;
    const now = this.#clock.monotonic();
    // As many slots lie ahead as before, at the new rate.
    const ahead = this.#nextAt - now;
    if (ahead > 0) this.#nextAt = now + (ahead / this.#intervalMs) * intervalMs;
    this.#intervalMs = intervalMs;
    this.#serve();
  }

  expire(): void {
    if (this.#waiting === 0) return;
    const now = this.#clock.monotonic();
    for (const waiter of this.#heap.data) {
      if (!waiter.hasLeft && waiter.until < now) waiter.leave(false);
    }
    this.#sweep();
  }

  takeAsked(): number {
    const asked = this.#asked;
    this.#asked = 0;
    return asked;
  }

  close(): void {
    this.#isClosed = true;
    for (const waiter of this.#heap.data) {
      if (!waiter.hasLeft) waiter.leave(false);
    }
    this.#sweep();
    this.#disarm();
  }

  #join(dueAt: number, until: number, signal: AbortSignal, resolve: (hasSlot: boolean) => void): void {
    const onAbort = () => {
      waiter.leave(false);
      this.#sweep();
    };
    const leave = (hasSlot: boolean) => {
      waiter.hasLeft = true;
      this.#waiting--;
      signal.removeEventListener('abort', onAbort);
      resolve(hasSlot);
    };
    const waiter: Waiter = { dueAt, arrival: this.#arrivals++, until, leave, hasLeft: false };
    signal.addEventListener('abort', onAbort);
    this.#heap.push(waiter);
    this.#waiting++;
    this.#arm(this.#clock.monotonic());
  }

  #opensAt(): number {
    return Math.max(this.#nextAt, this.#heldUntil);
  }

  /** Gives the slots whose time has come to the polls that wait. */
  #serve(): void {
    const now = this.#clock.monotonic();
    if (this.#waiting > 0 && this.#heldUntil <= now) {
      this.#nextAt = Math.max(this.#nextAt, this.#heldUntil, now - MAX_LAG_MS);
      while (this.#nextAt <= now && this.#serveFirst()) this.#take();
    }
    this.#arm(now);
  }

  /** Uses up a slot, and skips one where requests went without waiting. */
  #take(): void {
    this.#asked++;
    this.#nextAt += this.#intervalMs;
    if (this.#debt === 0) return;
    this.#debt--;
    this.#nextAt += this.#intervalMs;
  }

  #serveFirst(): boolean {
    for (let first = this.#heap.pop(); first !== undefined; first = this.#heap.pop()) {
      if (first.hasLeft) continue;
      first.leave(true);
      return true;
    }
    return false;
  }

  /** Sets the timer to the next slot; without polls that wait there is no timer. */
  #arm(now: number): void {
    if (this.#waiting === 0) return this.#disarm();
    const at = this.#opensAt();
    if (at === this.#timerAt) return;
    this.#disarm();
    this.#timerAt = at;
    const ms = Math.min(Math.max(0, Math.ceil(at - now)), LONGEST_TIMER_MS);
    this.#timer = setTimeout(() => {
      this.#disarm();
      this.#serve();
    }, ms);
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
  }

  /** Takes polls that left out of the heap, where they are many or no poll waits. */
  #sweep(): void {
    const left = this.#heap.length - this.#waiting;
    if (this.#waiting > 0 && left < Math.max(this.#waiting, MIN_LEFT_TO_SWEEP)) return;
    const waiting = this.#heap.data.filter((waiter) => !waiter.hasLeft);
    this.#heap = new TinyQueue(waiting, byDue);
    if (this.#waiting === 0) this.#disarm();
  }
}

function byDue(a: Waiter, b: Waiter): number {
  return a.dueAt - b.dueAt || a.arrival - b.arrival;
}
