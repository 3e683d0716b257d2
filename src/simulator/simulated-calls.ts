import { randomUUID } from 'node:crypto';
import type { Shown } from './journal.ts';
import { ANYBODY, type BodyStyle, type Party, SimulatedCall, type Step } from './life.ts';
import type { SimulatedApi } from './simulated-api.ts';

/** What a call lives through, and for how long it is known. */
export interface Life {
  script?: readonly Step[];
  /** After it was placed, whether it has ended or not; without it, some time after its end. */
  forgetAfterMs?: number;
}

export interface PlaceOptions extends Life, Partial<Party> {
  callSid?: string;
  style?: BodyStyle;
}

const DEFAULT_SCRIPT: readonly Step[] = [
  { status: 'queued', forMs: 2_000 },
  { status: 'calling', forMs: 5_000 },
  { status: 'success', forMs: 0 },
];

/** The calls that PolyAI has, by whichever of its APIs they are asked for. */
export class SimulatedCalls {
  readonly placed = new Map<string, SimulatedCall>();
  readonly #style: BodyStyle;
  readonly #forgetAfterMs: number;

  constructor(style: BodyStyle, forgetAfterMs: number) {
    this.#style = style;
    this.#forgetAfterMs = forgetAfterMs;
  }

  /** Places a call and returns its callSid. */
  place({ callSid, script = DEFAULT_SCRIPT, style = this.#style, ...other }: PlaceOptions = {}): string {
    const { forgetAfterMs, ...owner } = other;
    const sid = callSid ?? (style === 'march-2026' ? randomUUID() : `OUT-${randomUUID()}`);
    const now = Date.now();
    const call = new SimulatedCall(sid, style, script, now, { ...ANYBODY, ...owner });
    if (forgetAfterMs !== undefined) call.forget(now + forgetAfterMs);
    this.placed.set(sid, call);
    return sid;
  }

  known(callSid: string): SimulatedCall {
    const call = this.placed.get(callSid);
    if (call === undefined) throw new Error(`${callSid} was never placed`);
    return call;
  }

  /** What the API has to tell the asker of a call; null where it is not known, or not any more. */
  tell(
    callSid: string,
    { api, asker, at, stale }: { api: SimulatedApi; asker: Party; at: number; stale: boolean },
  ): { shown: Shown; body: string } | null {
    const call = this.placed.get(callSid);
    if (call === undefined || !call.isFor(asker) || call.isForgotten(at, this.#forgetAfterMs)) return null;
    const { current, previous } = call.at(at);
    const change = stale ? (previous ?? current) : current;
    const style = api.bodyStyle(call.style);
    return { shown: call.shown(change, style), body: call.body(change, style) };
  }
}
