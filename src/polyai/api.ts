import type { Observation } from '../call/call.ts';

/** What an account must say beyond its token for an API, e.g. `agentId`. */
export type Scope = Readonly<Record<string, string>>;

/** Path parameters, query and body of a request, as far as they are text by name. */
export interface ScopedRequest {
  params: Readonly<Record<string, unknown>>;
  query: Readonly<Record<string, unknown>>;
  /** Parsed JSON, or undefined. */
  body: unknown;
}

/** One of PolyAI's APIs: all that differs between them, in one file each. `apis.ts` lists them. */
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
  /** Bodies, as PolyAI documents them. */
  readonly examples: Readonly<Record<'trigger' | 'triggered' | 'status' | 'error', object>>;
  /** Path and query of the status request. */
  statusPath(callSid: string, scope: Scope): string;
  /** The scope that a status or trigger request is for; a part that it leaves out is undefined. */
  scopeOf(request: ScopedRequest): Readonly<Record<string, unknown>>;
  /** Reads the text of a 200 body. Throws `PolyAiError` `malformed` where it is no status of this call. */
  observe(callSid: string, body: string): Observation;
  /** PolyAI's message in an error body, or null. */
  errorMessage(body: unknown): string | null;
  /** An error body in this API's envelope, for what the drop-in itself has to say. */
  errorBody(message: string, code: string): unknown;
}

/** The id of the call that an answer to a trigger tells of (`callSid`, or `call_sid`), or null. */
export function triggeredCallSid(body: unknown): string | null {
  if (typeof body !== 'object' || body === null) return null;
  for (const key of ['callSid', 'call_sid'] as const) {
    const value: unknown = Reflect.get(body, key);
    if (typeof value === 'string' && value !== '') return value;
  }
  return null;
}
