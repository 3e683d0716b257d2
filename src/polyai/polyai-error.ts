/**
 * - `not_found`: 404, a call that PolyAI does not know, or no longer
 * - `rejected`: 400, PolyAI refuses the callSid
 * - `unauthorized`: 401 or 403, nothing about the call
 * - `too_many`: 429, about the whole account
 * - `unreachable`: no connection, nothing was sent
 * - `unavailable`: network, time-out, 408, 425, 5xx and whatever else is no answer
 * - `malformed`: 200 with a body that is no status of this call
 */
export type PolyAiErrorCode =
  | 'not_found'
  | 'rejected'
  | 'unauthorized'
  | 'too_many'
  | 'unreachable'
  | 'unavailable'
  | 'malformed';

/** A poll that brought no status. Its message holds no token and is at most a few hundred characters long. */
export class PolyAiError extends Error {
  override readonly name = 'PolyAiError';
  readonly code: PolyAiErrorCode;
  /** What PolyAI asked for by `Retry-After`, in milliseconds, or null. */
  readonly retryAfterMs: number | null;

  constructor(code: PolyAiErrorCode, message: string, retryAfterMs: number | null = null) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}
