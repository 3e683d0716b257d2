/** At most this share of the leases yields at once, so that not all calls are handed over at a time. */
const YIELD_SHARE = 0.1;

/** One call that this process follows. */
export interface Lease {
  readonly id: string;
  /** What the queue's lock on the call holds while it is ours. */
  readonly token: string;
  readonly startedAt: number;
  readonly ending: AbortController;
}

/** The leases of one process, oldest first. Where it is full and others wait, the oldest yield their places. */
export class Leases {
  readonly #leases = new Map<string, Lease>();
  readonly #atMost: number;
  readonly #yieldAfterMs: number;

  /** No lease yields before `yieldAfterMs`: a call must come to be polled in its lease. */
  constructor({ atMost, yieldAfterMs }: { atMost: number; yieldAfterMs: number }) {
    this.#atMost = atMost;
    this.#yieldAfterMs = yieldAfterMs;
  }

  /** Ends the lease that the call still has here: whoever gives it out anew holds that one for dead. */
  begin(id: string, token: string): Lease {
    this.abort(id);
    const lease = { id, token, startedAt: performance.now(), ending: new AbortController() };
    // Behind all others, also where it takes the place of one.
    this.#leases.delete(id);
    this.#leases.set(id, lease);
    return lease;
  }

  end(lease: Lease): void {
    if (this.#leases.get(lease.id) === lease) this.#leases.delete(lease.id);
  }

  get size(): number {
    return this.#leases.size;
  }

  get isFull(): boolean {
    return this.#leases.size >= this.#atMost;
  }

  all(): Lease[] {
    return [...this.#leases.values()];
  }

  abort(id: string): void {
    this.#leases.get(id)?.ending.abort();
  }

  abortAll(): void {
    for (const lease of this.#leases.values()) lease.ending.abort();
  }

  /** Ends leases for as many calls as wait, if they are old enough. */
  yieldTo(waiting: number): void {
    if (!this.isFull) return;
    const before = performance.now() - this.#yieldAfterMs;
    let left = Math.min(waiting, Math.ceil(this.#leases.size * YIELD_SHARE));
    for (const lease of this.#leases.values()) {
      if (left-- <= 0 || lease.startedAt > before) return;
      lease.ending.abort();
    }
  }
}
