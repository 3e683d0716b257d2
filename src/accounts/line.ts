import type { Clock } from '../clock.ts';

/** The right to make one request now. */
export interface Slot {
  /** To be called once, when the request has ended or is not made. */
  giveBack(): void;
}

/**
 * The polls of this process that wait for a slot: for their turn at the rate, and for a connection to be free. The poll
 * that became due first goes first; of two that became due at the same time, the one that joined first. A call that is
 * handed from lease to lease therefore keeps its place. All times are milliseconds of `clock.monotonic()`.
 */
export interface Line {
  /** Resolves when this poll has a slot. Resolves null when `look` finds its signal aborted, or that `until` has passed. */
  slot(dueAt: number, until: number, signal: AbortSignal): Promise<Slot | null>;
  /** So many slots are out at a time, at most; Infinity, as it begins: as many as the rate allows. */
  setAtOnce(slots: number): void;
  /**
   * Counts a request that went without waiting: the polls that follow go the later for it. Every second slot stays
   * with the polls, or a busy client of the drop-in would keep all calls from being polled.
   */
  charge(): void;
  /** Gives out no slot for `ms`. A longer hold in force stays. */
  hold(ms: number): void;
  /** Slots per second, more than 0; Infinity: every poll goes at once. */
  setRate(perSecond: number): void;
  /** Lets go of the polls that wait no more. To be called now and then: none listens to its signal, and has no timer. */
  look(): void;
  /** How many polls wait. */
  readonly waiting: number;
  /** How many slots and charges there were since this was last called. */
  takeAsked(): number;
  /** Every poll that waits, or comes later, gets no slot; those that are out may be given back. */
  close(): void;
}

interface Waiter {
  readonly dueAt: number;
  readonly until: number;
  readonly signal: AbortSignal;
  readonly resolve: (slot: Slot | null) => void;
}

/** A timer that is late by up to so much gives its slots all the same; slots of a longer time would be a burst. */
const MAX_LAG_MS = 50;
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
  /**
   * Those that wait, in their order, from `#first` on; those before it have left. Polls join when they are due, so nearly
   * all join at the end: a heap of 5,000 took 1 µs more for each.
   */
  #waiters: (Waiter | undefined)[] = [];
  #first = 0;
  readonly #slot: Slot = { giveBack: () => this.#giveBack() };
  /** Slots that are out. */
  #out = 0;
  #atOnce = Number.POSITIVE_INFINITY;
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
    return this.#waiters.length - this.#first;
  }

  slot(dueAt: number, until: number, signal: AbortSignal): Promise<Slot | null> {
    if (signal.aborted || this.#isClosed) return Promise.resolve(null);
    if (this.waiting === 0 && this.#hasRoom() && this.#opensAt() <= this.#clock.monotonic()) {
      // Slots in the past were nobody's: they are not made up for.
      this.#nextAt = Math.max(this.#nextAt, this.#clock.monotonic());
      this.#take();
      return Promise.resolve(this.#slot);
    }
    return new Promise((resolve) => this.#join({ dueAt, until, signal, resolve }));
  }

  setAtOnce(slots: number): void {
    this.#atOnce = slots;
    this.#serve();
  }

  charge(): void {
    const now = this.#clock.monotonic();
    this.#asked++;
    if (this.waiting === 0 && this.#nextAt <= now) this.#nextAt = now + this.#intervalMs;
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

  look(): void {
    if (this.waiting === 0) return;
    const now = this.#clock.monotonic();
    this.#letGo(({ until, signal }) => until < now || signal.aborted);
    if (this.waiting === 0) this.#disarm();
  }

  takeAsked(): number {
    const asked = this.#asked;
    this.#asked = 0;
    return asked;
  }

  close(): void {
    this.#isClosed = true;
    this.#letGo(() => true);
    this.#disarm();
  }

  #letGo(isOver: (waiter: Waiter) => boolean): void {
    const waiting = this.#waiters.slice(this.#first);
    this.#first = 0;
    this.#waiters = waiting.filter((waiter) => {
      if (waiter === undefined || !isOver(waiter)) return true;
      waiter.resolve(null);
      return false;
    });
  }

  #join(waiter: Waiter): void {
    const last = this.#waiters.at(-1);
    if (last === undefined || last.dueAt <= waiter.dueAt) this.#waiters.push(waiter);
    else this.#waiters.splice(this.#placeOf(waiter), 0, waiter);
    this.#arm(this.#clock.monotonic());
  }

  /** Behind all that are due as early. */
  #placeOf({ dueAt }: Waiter): number {
    let [from, to] = [this.#first, this.#waiters.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.#waiters[middle]?.dueAt ?? dueAt) <= dueAt) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  #giveBack(): void {
    this.#out--;
    if (this.waiting > 0) this.#serve();
  }

  #hasRoom(): boolean {
    return this.#out < this.#atOnce;
  }

  #opensAt(): number {
    return Math.max(this.#nextAt, this.#heldUntil);
  }

  /** Gives the slots whose time has come to the polls that wait. */
  #serve(): void {
    const now = this.#clock.monotonic();
    if (this.waiting > 0 && this.#heldUntil <= now) {
      this.#nextAt = Math.max(this.#nextAt, this.#heldUntil, now - MAX_LAG_MS);
      while (this.#hasRoom() && this.#nextAt <= now && this.#serveFirst()) this.#take();
    }
    this.#arm(now);
  }

  /** Uses up a slot, and skips one where requests went without waiting. */
  #take(): void {
    this.#out++;
    this.#asked++;
    this.#nextAt += this.#intervalMs;
    if (this.#debt === 0) return;
    this.#debt--;
    this.#nextAt += this.#intervalMs;
  }

  #serveFirst(): boolean {
    for (let waiter = this.#shift(); waiter !== undefined; waiter = this.#shift()) {
      const hasSlot = !waiter.signal.aborted;
      waiter.resolve(hasSlot ? this.#slot : null);
      if (hasSlot) return true;
    }
    return false;
  }

  /** As `Array.shift`, which would move all that wait each time; here they are moved once half of the array has left. */
  #shift(): Waiter | undefined {
    const waiter = this.#waiters[this.#first];
    if (waiter === undefined) return;
    this.#waiters[this.#first++] = undefined;
    if (this.#first >= this.#waiters.length / 2) {
      this.#waiters = this.#waiters.slice(this.#first);
      this.#first = 0;
    }
    return waiter;
  }

  /** Sets the timer to the next slot; without polls that wait there is none, nor while no slot is left to give. */
  #arm(now: number): void {
    if (this.waiting === 0 || !this.#hasRoom()) return this.#disarm();
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
}
