import TinyQueue from 'tinyqueue';
import type { Clock } from '../clock.ts';

/**
 * The polls of this process that wait for a slot, the one that became due first before the others (of the same
 * time: the one that came first). A call handed from lease to lease so keeps its place. All times in milliseconds, as
 * `clock.monotonic()` has them.
 */
export interface Line {
  /**
   * Resolves true when this poll has a slot; false when `signal`, which nobody else waits with, is aborted, or when
   * `until` has passed and `expire` finds it so. No promise where it is known at once: most polls need not wait.
   */
  slot(dueAt: number, until: number, signal: AbortSignal): boolean | Promise<boolean>;
  /**
   * A request that could not wait counts all the same: it delays those that follow. Half of the slots stay theirs, or
   * a busy client of the drop-in would keep all calls from being polled.
   */
  charge(): void;
  /** Nobody has a slot for so many milliseconds. A longer hold in force stays. */
  hold(ms: number): void;
  /** Slots per second, more than 0; Infinity: no limit, all go at once. */
  setRate(perSecond: number): void;
  /** Lets go of those whose `until` has passed. */
  expire(): void;
  readonly waiting: number;
  /** Slots and charges since this was last called. */
  takeAsked(): number;
  /** All that wait resolve false, and so does whoever comes later. */
  close(): void;
}

interface Waiter {
  readonly dueAt: number;
  readonly arrival: number;
  readonly until: number;
  readonly leave: (hasSlot: boolean) => void;
  hasLeft: boolean;
}

/** So much of a timer's lateness is made up for, that the rate is exact on average; more would be a burst. */
const MAX_LAG_MS = 100;
/** Those who left stay in the heap until there are so many, and more than those who wait. */
const MIN_LEFT_TO_SWEEP = 1_000;
/** What requests took beyond this is forgiven. */
const MAX_DEBT_MS = 10_000;
/** setTimeout cannot wait for ever; waking in between does no harm. */
const LONGEST_TIMER_MS = 60_000;

/** With no limit, until `setRate` sets one. */
export function createLine(clock: Pick<Clock, 'monotonic'>): Line {
  return new WaitingLine(clock);
}

class WaitingLine implements Line {
  readonly #clock: Pick<Clock, 'monotonic'>;
  #heap = new TinyQueue<Waiter>([], byDue);
  #waiting = 0;
  #arrivals = 0;
  #asked = 0;
  #intervalMs = 0;
  /** Slots that requests took which could not wait. */
  #debt = 0;
  /** When the next slot may be, but for a hold. */
  #nextAt = 0;
  #heldUntil = 0;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer is to fire; Infinity without one. */
  #timerAt = Number.POSITIVE_INFINITY;
  #isClosed = false;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  get waiting(): number {
    return this.#waiting;
  }

  slot(dueAt: number, until: number, signal: AbortSignal): boolean | Promise<boolean> {
    if (signal.aborted || this.#isClosed) return false;
    if (this.#waiting === 0 && this.#opensAt() <= this.#clock.monotonic()) {
      // Where nobody waited, no slot was missed.
      this.#nextAt = Math.max(this.#nextAt, this.#clock.monotonic());
      this.#take();
      return true;
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
    // So many slots as were to be waited for, at the new rate.
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

  /** Gives out the slots whose time has come. */
  #serve(): void {
    const now = this.#clock.monotonic();
    if (this.#waiting > 0 && this.#heldUntil <= now) {
      this.#nextAt = Math.max(this.#nextAt, this.#heldUntil, now - MAX_LAG_MS);
      while (this.#nextAt <= now && this.#serveFirst()) this.#take();
    }
    this.#arm(now);
  }

  /** One slot, and one of those that requests took before. */
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

  /** Sees to it that the timer fires when the next slot may be. */
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

  /** Clears the heap of those who left, where they are many or nobody else is in it. */
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
