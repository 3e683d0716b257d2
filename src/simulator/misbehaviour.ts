/** Which requests a fault strikes. */
export interface FaultScope {
  /** Only this call; without it, all. */
  callSid?: string;
  /** Only so many requests; without it, until it is ended. */
  times?: number;
  /** Only this share of the requests, at random. */
  share?: number;
}

interface Entry<F> {
  fault: F;
  scope: FaultScope;
  left: number;
}

/** The faults in force against one kind of request. */
export class Misbehaviour<F> {
  /** The latest first: it is the one that strikes where several could. */
  #entries: Entry<F>[] = [];
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Puts a fault in force; the function that is returned ends it. */
  begin(fault: F, scope: FaultScope): () => void {
    const entry = { fault, scope, left: scope.times ?? Infinity };
    if (entry.left > 0) this.#entries.unshift(entry);
    return () => this.#end(entry);
  }

  /** The fault that strikes this request, which may be of no call yet. */
  strike(callSid: string | null): F | null {
    for (const entry of this.#entries) {
      const { scope, fault } = entry;
      if (scope.callSid !== undefined && scope.callSid !== callSid) continue;
      if (scope.share !== undefined && this.#random() >= scope.share) continue;
      if (--entry.left <= 0) this.#end(entry);
      return fault;
    }
    return null;
  }

  #end(ended: Entry<F>): void {
    this.#entries = this.#entries.filter((entry) => entry !== ended);
  }
}
