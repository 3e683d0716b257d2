/** At most this share of the leases yields at once, so that the others' turn does not become everybody's. */
const YIELD_SHARE = 0.1;

interface Lease {
  startedAt: number;
  abort: () => void;
}

/** The leases of one process, oldest first. Where it is full and others wait, the oldest yield their places. */
export class Leases {
  readonly #leases = new Map<string, Lease>();
  readonly #atMost: number;
  readonly #yieldAfterMs: number;

  /** No lease yields before `yieldAfterMs`: a call must come to be polled in its turn. */
  constructor({ atMost, yieldAfterMs }: { atMost: number; yieldAfterMs: number }) {
    this.#atMost = atMost;
    this.#yieldAfterMs = yieldAfterMs;
  }

  begin(id: string, abort: () => void): void {
    this.#leases.set(id, { startedAt: performance.now(), abort });
  }

  end(id: string): void {
    this.#leases.delete(id);
  }

  get isFull(): boolean {
    return this.#leases.size >= this.#atMost;
  }

  /** Ends leases for as many calls as wait, if they are old enough. */
  yieldTo(waiting: number): void {
    if (!this.isFull) return;
    const before = performance.now() - this.#yieldAfterMs;
    let left = Math.min(waiting, Math.ceil(this.#leases.size * YIELD_SHARE));
    for (const { startedAt, abort } of this.#leases.values()) {
      if (left-- <= 0 || startedAt > before) return;
      abort();
    }
  }
}
