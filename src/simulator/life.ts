/** What a simulated call lives through. */
export interface Step {
  status: string;
  reason?: string;
  /** How long it stays so; the last step's is ignored, a call stays as it ends. */
  forMs: number;
}

/** Which of PolyAI's two documented 200 bodies. */
export type BodyStyle = 'march-2026' | 'mid-2026';

export interface Change {
  status: string;
  reason: string;
  /** Milliseconds since the epoch. */
  at: number;
}

const TERMINAL = new Set(['success', 'failure', 'completed', 'failed', 'no-answer', 'busy', 'cancelled']);

/** A call that is a function of time: it needs no timer, so that tens of thousands cost nothing while not asked for. */
export class SimulatedCall {
  readonly callSid: string;
  readonly style: BodyStyle;
  readonly placedAt: number;
  readonly changes: Change[];
  #forgottenAt: number | null = null;
  /** The body told last: it is the same for poll after poll. */
  #told: { change: Change; body: string } | null = null;

  constructor(callSid: string, style: BodyStyle, steps: readonly Step[], placedAt: number) {
    if (steps.length === 0) throw new Error(`the script of ${callSid} has no steps`);
    this.callSid = callSid;
    this.style = style;
    this.placedAt = placedAt;
    this.changes = [];
    let at = placedAt;
    for (const { status, reason = '', forMs } of steps) {
      this.changes.push({ status, reason, at });
      at += forMs;
    }
  }

  /** The last change up to then, and the one before it. */
  at(now: number): { current: Change; previous: Change | null } {
    const index = Math.max(
      0,
      this.changes.findLastIndex((change) => change.at <= now),
    );
    const current = this.changes[index];
    if (current === undefined) throw new Error(`${this.callSid} has no status`);
    return { current, previous: this.changes[index - 1] ?? null };
  }

  /** When it ends, or null where its script has no end. */
  endsAt(): number | null {
    const last = this.changes.at(-1);
    return last !== undefined && TERMINAL.has(last.status.toLowerCase()) && Number.isFinite(last.at)
      ? last.at
      : null;
  }

  isForgotten(now: number, forgetAfterMs: number): boolean {
    const endsAt = this.endsAt();
    return (this.#forgottenAt ?? (endsAt === null ? Infinity : endsAt + forgetAfterMs)) <= now;
  }

  forget(now: number): void {
    this.#forgottenAt = now;
  }

  /** Moves the call by hand: what its script had still before it is dropped. */
  set(status: string, reason: string, now: number): void {
    const past = this.changes.findLastIndex((change) => change.at <= now) + 1;
    this.changes.splice(past, Infinity, { status, reason, at: now });
  }

  /** What PolyAI's body tells of a change: that of March 2026 has no reason. */
  shown({ status, reason }: Change): { status: string; reason: string } {
    return { status, reason: this.style === 'mid-2026' ? reason : '' };
  }

  /** PolyAI's body for a change. */
  body(change: Change): string {
    if (this.#told?.change !== change) this.#told = { change, body: this.#write(change) };
    return this.#told.body;
  }

  /** The times of the March 2026 body are whole seconds, as in its documentation. */
  #write({ status, reason, at }: Change): string {
    if (this.style === 'mid-2026') return JSON.stringify({ status, reason });
    const created_at = wholeSeconds(this.placedAt);
    return JSON.stringify({ callSid: this.callSid, status, created_at, last_updated: wholeSeconds(at) });
  }
}

function wholeSeconds(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}
