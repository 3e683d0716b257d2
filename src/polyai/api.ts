import type { Observation } from '../call/call.ts';

/** What an account must say beyond its token for an API, e.g. `agentId`. */
export type Scope = Readonly<Record<string, string>>;

/** What a request says of its scope. */
export interface ScopedRequest {
  params: Readonly<Record<string, unknown>>;
  query: Readonly<Record<string, unknown>>;
  /** Parsed JSON, or undefined. */
  body: unknown;
}

/** All that sets one of PolyAI's APIs apart from the others. Each has its own file, and `apis.ts` lists them. */
export interface PolyAiApi {
  /** As configured in `POLYAI_API`. */
  readonly name: string;
  readonly defaultBaseUrl: string;
  readonly tokenHeader: string;
  /** The settings of an account's scope, each with the form it must have. */
  readonly scope: Readonly<Record<string, RegExp>>;
  /** Routes in Fastify's notation: the drop-in answers them. */
  readonly statusRoute: string;
  readonly triggerRoutes: readonly string[];
  /** Bodies as PolyAI documents them. */
  readonly examples: Readonly<Record<'trigger' | 'triggered' | 'status' | 'error', object>>;
  /** Path and query of the status request. */
  statusPath(callSid: string, scope: Scope): string;
  /** The scope that a status or trigger request names; what it leaves out is undefined. */
  scopeOf(request: ScopedRequest): Readonly<Record<string, unknown>>;
  /** Reads the text of a 200 body. Throws `PolyAiError` `malformed` where it is no status of this call. */
  observe(callSid: string, body: string): Observation;
  /** PolyAI's message in an error body, or null. */
  errorMessage(body: unknown): string | null;
  /** The body of an error that the drop-in itself answers with, in this API's envelope. */
  errorBody(message: string, code: string): unknown;
}

/** The callSid that PolyAI's answer to a trigger has, as `callSid` or `call_sid`; null where it has none. */
export function triggeredCallSid(body: unknown): string | null {
  if (typeof body !== 'object' || body === null) return null;
  for (const key of ['callSid', 'call_sid'] as const) {
    const value: unknown = Reflect.get(body, key);
    if (typeof value === 'string' && value !== '') return value;
  }
  return null;
}
