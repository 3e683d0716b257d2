import type { FailureCode } from '../call/verdict.ts';

/** Of what an answer or the network said, in characters. */
export const MAX_MESSAGE_LENGTH = 300;

/** A poll that brought no status. Its message holds no token and is at most a few hundred characters long. */
export class PolyAiError extends Error {
  override readonly name = 'PolyAiError';
  readonly code: FailureCode;
  /** What PolyAI asked for by `Retry-After`, in milliseconds, or null. */
  readonly retryAfterMs: number | null;

  constructor(code: FailureCode, message: string, retryAfterMs: number | null = null) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}
