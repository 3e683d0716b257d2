import { setTimeout as sleep } from 'node:timers/promises';
import { Value } from 'typebox/value';
import { type Dispatcher, request } from 'undici';
import { BatchResultJson } from '../api/schemas.ts';
import { retryDelay } from '../backoff.ts';
import { wordsOf } from '../words.ts';
import type { FileCall } from './file-call.ts';

/** polykeep refuses the batch, or did not answer for too long. */
export class RegisteringError extends Error {
  override readonly name = 'RegisteringError';
  readonly code = 'registering_failed';
}

type BatchResult = BatchResultJson['results'][number];

export interface RegisteringOptions {
  /** Of a running polykeep. */
  url: string;
  apiKey: string | undefined;
  /** How long a batch is tried again. */
  patienceMs?: number;
  /** How long an attempt may take, to the last byte of its answer. */
  answerWithinMs?: number;
}

const RETRY = { firstMs: 250, maxMs: 10_000 };
const ANSWER_WITHIN_MS = 60_000;
const PASSES = [429, 502, 503, 504];

type Attempt = { results: BatchResult[] } | { failure: string; retryAfterMs: number };

/**
 * A function that registers one batch, and gives a result for each call in order. It tries again while polykeep cannot
 * be reached or says that it cannot for now. Rejects with `RegisteringError`.
 */
export function registering({
  url,
  apiKey,
  patienceMs = 60_000,
  answerWithinMs = ANSWER_WITHIN_MS,
}: RegisteringOptions) {
  const target = new URL('v1/calls/batch', url.endsWith('/') ? url : `${url}/`);
  const headers = {
    'content-type': 'application/json',
    ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
  };

  async function attempt(body: string, calls: number): Promise<Attempt> {
    let answer: Dispatcher.ResponseData;
    let text: string;
    const signal = AbortSignal.timeout(answerWithinMs);
    try {
      answer = await request(target, { method: 'POST', headers, body, signal });
      text = await answer.body.text();
    } catch (error) {
      const failure = signal.aborted ? `no whole answer within ${answerWithinMs / 1_000} s` : wordsOf(error);
      return { failure, retryAfterMs: 0 };
    }
    const said = `${answer.statusCode} ${detailOf(text)}`.trim();
    if (PASSES.includes(answer.statusCode)) {
      const seconds = Number(answer.headers['retry-after']);
      return { failure: said, retryAfterMs: seconds > 0 ? seconds * 1_000 : 0 };
    }
    const results = answer.statusCode === 200 ? resultsOf(text) : null;
    if (results?.length !== calls) throw new RegisteringError(`${target.href} answers ${said}`);
    return { results };
  }

  return async function register(calls: readonly FileCall[]): Promise<BatchResult[]> {
    const body = JSON.stringify({ calls });
    const deadline = performance.now() + patienceMs;
    for (let failures = 1; ; failures++) {
      const attempted = await attempt(body, calls.length);
      if ('results' in attempted) return attempted.results;
      const pause = Math.max(attempted.retryAfterMs, retryDelay(failures, RETRY, Math.random));
      if (performance.now() + pause > deadline) {
        throw new RegisteringError(
          `gave up on ${target.href} after ${Math.round(patienceMs / 1_000)} s: ${attempted.failure}`,
        );
      }
      await sleep(pause);
    }
  };
}

function resultsOf(text: string): BatchResult[] | null {
  const parsed = parsedOrNull(text);
  return Value.Check(BatchResultJson, parsed) ? parsed.results : null;
}

/** What a problem says; nothing where the answer is none. */
function detailOf(text: string): string {
  const parsed = parsedOrNull(text);
  if (typeof parsed !== 'object' || parsed === null || !('detail' in parsed)) return '';
  return typeof parsed.detail === 'string' ? parsed.detail : '';
}

function parsedOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
