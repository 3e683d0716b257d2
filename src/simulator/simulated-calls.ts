import { randomUUID } from 'node:crypto';
import type { Shown } from './journal.ts';
import { ANYBODY, type BodyStyle, type Party, SimulatedCall, type Step } from './life.ts';
import type { SimulatedApi } from './simulated-api.ts';

export interface PlaceOptions extends Partial<Party> {
  callSid?: string;
  script?: readonly Step[];
  style?: BodyStyle;
}

export const DEFAULT_SCRIPT: readonly Step[] = [
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
  place({ callSid, script = DEFAULT_SCRIPT, style = this.#style, ...owner }: PlaceOptions = {}): string {
    const sid = callSid ?? (style === 'march-2026' ? randomUUID() : `OUT-${randomUUID()}`);
    this.placed.set(sid, new SimulatedCall(sid, style, script, Date.now(), { ...ANYBODY, ...owner }));
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
