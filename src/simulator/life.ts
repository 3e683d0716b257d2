/** What a simulated call lives through. */
export interface Step {
  status: string;
  reason?: string;
  /** How long it stays so; the last step's is ignored, a call stays as it ends. */
  forMs: number;
}

/** Which of PolyAI's documented 200 bodies: two of the Outbound Calling API, and that of the Agents API. */
export type BodyStyle = 'march-2026' | 'mid-2026' | 'agents';

/** Where an agent of the Agents API runs. */
export type Environment = (typeof ENVIRONMENTS)[number];

export const ENVIRONMENTS = ['sandbox', 'pre-release', 'live'] as const;

/** Whose a call is, or who asks for it; null is anybody. */
export interface Party {
  agentId: string | null;
  environment: Environment | null;
}

export const ANYBODY: Party = { agentId: null, environment: null };

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
  readonly owner: Party;
  readonly changes: Change[];
  #forgottenAt: number | null = null;
  /** The body told last: it is the same for poll after poll. */
  #told: { change: Change; style: BodyStyle; body: string } | null = null;

  constructor(callSid: string, style: BodyStyle, steps: readonly Step[], placedAt: number, owner: Party) {
    if (steps.length === 0) throw new Error(`the script of ${callSid} has no steps`);
    this.callSid = callSid;
    this.style = style;
    this.placedAt = placedAt;
    this.owner = owner;
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

  /** Whether the asker may be told of it. */
  isFor(asker: Party): boolean {
    return matches(this.owner.agentId, asker.agentId) && matches(this.owner.environment, asker.environment);
  }

  isForgotten(now: number, forgetAfterMs: number): boolean {
    const endsAt = this.endsAt();
    return (this.#forgottenAt ?? (endsAt === null ? Infinity : endsAt + forgetAfterMs)) <= now;
  }

  /** When it was forgotten by hand; null where it was not. */
  get forgottenAt(): number | null {
    return this.#forgottenAt;
  }

  forget(now: number): void {
    this.#forgottenAt = now;
  }

  /** Moves the call by hand: what its script had still before it is dropped. */
  set(status: string, reason: string, now: number): void {
    const past = this.changes.findLastIndex((change) => change.at <= now) + 1;
    this.changes.splice(past, Infinity, { status, reason, at: now });
  }

  /** What PolyAI's body tells of a change: that of March 2026 has no reason, that of the Agents API capitals. */
  shown({ status, reason }: Change, style: BodyStyle): { status: string; reason: string } {
    return {
      status: style === 'agents' ? status.toUpperCase() : status,
      reason: style === 'march-2026' ? '' : reason,
    };
  }

  /** PolyAI's body for a change. */
  body(change: Change, style: BodyStyle): string {
    if (this.#told?.change !== change || this.#told.style !== style) {
      this.#told = { change, style, body: this.#write(change, style) };
    }
    return this.#told.body;
  }

  /** The times of the March 2026 body are whole seconds, as in its documentation. */
  #write(change: Change, style: BodyStyle): string {
    const { callSid } = this;
    const { status, reason } = this.shown(change, style);
    if (style === 'mid-2026') return JSON.stringify({ status, reason });
    if (style === 'agents') return JSON.stringify({ callSid, status, reason });
    const created_at = wholeSeconds(this.placedAt);
    return JSON.stringify({ callSid, status, created_at, last_updated: wholeSeconds(change.at) });
  }
}

/** null stands for any. */
function matches(owned: string | null, asked: string | null): boolean {
  return owned === null || asked === null || owned === asked;
}

function wholeSeconds(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}
