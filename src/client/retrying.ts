import { setTimeout as sleep } from 'node:timers/promises';
import { retryDelay } from '../backoff.ts';
import { ProblemError } from './problem-error.ts';

export interface Patience {
  /** How long polykeep may be away, or say that it cannot answer for now, before the last error is thrown. */
  patienceMs?: number;
  /** Told of each error that is tried again. */
  onRetry?: (error: unknown) => void;
  signal?: AbortSignal;
}

interface RetryingOptions {
  patienceMs: number;
  onRetry: ((error: unknown) => void) | undefined;
  signal: AbortSignal | undefined;
}

/** Tries again what failed for now. */
export interface Retrying {
  /** It went well: the patience begins anew. */
  worked(): void;
  /** Waits until it is to be tried again; rejects with the error where that is of no use, or has been for too long. */
  failed(error: unknown): Promise<void>;
  /** Tries until it works. */
  insist<Result>(attempt: () => Promise<Result>): Promise<Result>;
}

const BOUNDS = { firstMs: 250, maxMs: 10_000 };
const PASSES = [429, 502, 503, 504];

/** polykeep cannot answer for now. */
export class UnavailableError extends ProblemError {
  readonly retryAfterMs: number;

  constructor(response: Response, answer: unknown) {
    super(response.status, answer);
    const seconds = Number(response.headers.get('retry-after'));
    this.retryAfterMs = seconds > 0 ? seconds * 1_000 : 0;
  }
}

/** The data of an answer. Throws a `ProblemError` where it has none. */
export function dataOf<Data>(answer: { data?: Data; error?: unknown; response: Response }): Data {
  const { data, error, response } = answer;
  if (data !== undefined) return data;
  throw PASSES.includes(response.status)
    ? new UnavailableError(response, error)
    : new ProblemError(response.status, error);
}

export function createRetrying({ patienceMs, onRetry, signal }: RetryingOptions): Retrying {
  let failures = 0;
  let failingSince = 0;

  const retrying: Retrying = {
    worked() {
      failures = 0;
    },
    async failed(error) {
      signal?.throwIfAborted();
      if (error instanceof ProblemError && !(error instanceof UnavailableError)) throw error;
      if (failures++ === 0) failingSince = performance.now();
      const asked = error instanceof UnavailableError ? error.retryAfterMs : 0;
      const pause = Math.max(asked, retryDelay(failures, BOUNDS, Math.random));
      if (performance.now() - failingSince + pause > patienceMs) throw error;
      onRetry?.(error);
      await sleep(pause, undefined, signal === undefined ? {} : { signal });
    },
    async insist(attempt) {
      for (;;) {
        try {
          const result = await attempt();
          retrying.worked();
          return result;
        } catch (error) {
          await retrying.failed(error);
        }
      }
    },
  };
  return retrying;
}
