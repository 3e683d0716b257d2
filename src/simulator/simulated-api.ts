import type { BodyStyle, Party } from './life.ts';

/** What sets one of PolyAI's APIs apart from another: the calls behind them are the same. */
export interface SimulatedApi {
  readonly tokenHeader: 'x-polyai-auth-token' | 'x-api-key';
  /** The status of a call that went well, as this API has it. */
  readonly success: string;
  /** Where a success is told to whoever follows a redirect. */
  readonly successPath: string;
  /** Its envelope for errors. */
  errorBody(code: number): string;
  /** The body that tells of a call placed in the given style. */
  bodyStyle(placedIn: BodyStyle): BodyStyle;
  /** What a GET of the url asks for; null where that is no status. */
  statusRequest(url: string): StatusRequest | null;
  /** What a POST to the url does; null where it triggers nothing. */
  triggerRoute(url: string): TriggerRoute | null;
}

export interface StatusRequest {
  /** null where it cannot be decoded. */
  callSid: string | null;
  asker: Party;
  /** false: to be answered with 400. */
  isValid: boolean;
}

export interface TriggerRoute {
  /** The call that the fields of a body ask for; null is to be answered with 400. */
  wanted(fields: Record<string, unknown>): (Party & { style: BodyStyle }) | null;
  /** The body that tells of the placed call. */
  answer(callSid: string): string;
}

const MESSAGES: Record<number, string> = {
  400: 'Invalid call SID format',
  401: 'Invalid or missing token',
  403: 'Forbidden',
  404: 'Call not found',
  429: 'Too many requests',
};

/** What both APIs say in words of an error. */
export function errorMessage(code: number): string {
  return MESSAGES[code] ?? 'Internal error';
}

const E164 = /^\+[1-9]\d{1,14}$/;

export function isPhoneNumber(value: unknown): boolean {
  return typeof value === 'string' && E164.test(value);
}

/** A segment of a path as it was before it was encoded; null where it is not well encoded. */
export function decodeSegment(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}
