/** At most this share of the leases yields at once, so that a process never hands all its calls over at a time. */
const YIELD_SHARE = 0.1;

/** One call that this process follows. */
export interface Lease {
  readonly id: string;
  /** What the queue's lock on the call holds while the lease is in force; null where there is no lock. */
  readonly token: string | null;
  /** By `performance.now()`. */
  readonly startedAt: number;
  /** Aborted where the lease is to end before its time. */
  readonly ending: AbortController;
  isBeingHandedBack: boolean;
}

/** The leases of one process, oldest first. While the process is full and other calls wait, the oldest leases yield. */
export class Leases {
  readonly #leases = new Map<string, Lease>();
  readonly #atMost: number;
  readonly #yieldAfterMs: number;

  /** No lease yields before it is `yieldAfterMs` old, so that each call is polled within its lease. */
  constructor({ atMost, yieldAfterMs }: { atMost: number; yieldAfterMs: number }) {
    this.#atMost = atMost;
    this.#yieldAfterMs = yieldAfterMs;
  }

  /** Begins a lease. One that the call still has here is ended: the queue took it to be dead. */
  begin(id: string, token: string | null): Lease {
    this.abort(id);
    const lease = {
      id,
      token,
      startedAt: performance.now(),
      ending: new AbortController(),
      isBeingHandedBack: false,
    };
    // Deleted first, or the new lease would keep the old one's place among the oldest.
    this.#leases.delete(id);
    this.#leases.set(id, lease);
    return lease;
  }

  end(lease: Lease): void {
    if (this.has(lease)) this.#leases.delete(lease.id);
  }

  /** Whether the lease goes on: it has not ended, and the call has no newer one here. */
  has(lease: Lease): boolean {
    return this.#leases.get(lease.id) === lease;
  }

  /** Whether this process follows the call. */
  hasCall(id: string): boolean {
    return this.#leases.has(id);
  }

  get size(): number {
    return this.#leases.size;
  }

  /** How many more calls this process may follow. */
  get room(): number {
    return Math.max(0, this.#atMost - this.#leases.size);
  }

  get isFull(): boolean {
    return this.room === 0;
  }

  all(): Lease[] {
    return [...this.#leases.values()];
  }

  /** Ends the lease at once: another worker follows the call, and nothing is to be handed back. */
  lose(lease: Lease): void {
    this.end(lease);
    lease.ending.abort();
  }

  abort(id: string): void {
    this.#leases.get(id)?.ending.abort();
  }

  abortAll(): void {
    for (const lease of this.#leases.values()) lease.ending.abort();
  }

  /** Ends as many leases as calls wait, where they are old enough. */
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
