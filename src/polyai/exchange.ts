import type { IncomingHttpHeaders } from 'node:http';
import { type Dispatcher, errors, type Pool } from 'undici';
import { decoderOf, TooLargeError } from './decoding.ts';
import { PolyAiError } from './errors.ts';
import { retryAfterMs } from './retry-after.ts';

/** How long an answer on its way is still waited for after an abort: what PolyAI has shown should not be dropped. */
const LAST_ANSWER_MS = 2_000;

export interface Asked {
  method: 'GET' | 'POST';
  path: string;
  headers: Record<string, string>;
  body?: Buffer;
}

/** An answer to the last byte, whatever its status. */
export interface Answer {
  statusCode: number;
  contentType: string | null;
  /** The header as it came, or null. */
  retryAfter: string | null;
  retryAfterMs: number | null;
  /** Decompressed. Empty where an answer that is no 200 was larger than allowed. */
  body: Buffer;
}

export interface ExchangeLimits {
  /** For the whole exchange, from asking for a connection to the last byte. */
  timeoutMs: number;
  maxBytes: number;
}

/**
 * Asks once. Throws `PolyAiError` `unreachable` or `unavailable` where there is no whole answer in time, `malformed` for a 200 that is
 * too large, and the signal's reason where it was aborted and no answer came within another 2 s.
 */
export async function exchange(
  pool: Pool,
  asked: Asked,
  { timeoutMs, maxBytes }: ExchangeLimits,
  signal?: AbortSignal,
): Promise<Answer> {
  const reading = new Reading(maxBytes);
  const timer = setTimeout(timeOut, timeoutMs, reading, timeoutMs);
  const ending = signal && underWayUntil(signal);
  ending?.add(reading);
  try {
    signal?.throwIfAborted();
    pool.dispatch(asked, reading);
    return await reading.answer;
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw error instanceof PolyAiError ? error : networkError(error);
  } finally {
    clearTimeout(timer);
    ending?.delete(reading);
  }
}

const underWay = new WeakMap<AbortSignal, Set<Reading>>();

/** What is asked under a signal, which is listened to once: a lease's has one poll after another. */
function underWayUntil(signal: AbortSignal): Set<Reading> {
  const known = underWay.get(signal);
  if (known !== undefined) return known;
  const readings = new Set<Reading>();
  underWay.set(signal, readings);
  const breakOff = () => {
    for (const reading of readings) reading.breakOff(signal.reason);
  };
  signal.addEventListener('abort', () => setTimeout(breakOff, LAST_ANSWER_MS).unref(), { once: true });
  return readings;
}

function timeOut(reading: Reading, timeoutMs: number): void {
  reading.breakOff(new PolyAiError('unavailable', `no whole answer within ${timeoutMs} ms`));
}

/**
 * Takes an answer in. undici's own `request` makes a stream and an abort signal of each: half of what a poll takes.
 */
class Reading implements Dispatcher.DispatchHandler {
  readonly answer: Promise<Answer>;
  readonly #resolve: (answer: Answer | Promise<Answer>) => void;
  readonly #reject: (error: unknown) => void;
  readonly #maxBytes: number;
  #controller: Dispatcher.DispatchController | null = null;
  #brokenOff: { reason: Error } | null = null;
  #statusCode = 0;
  #headers: IncomingHttpHeaders = {};
  readonly #chunks: Buffer[] = [];
  #size = 0;

  constructor(maxBytes: number) {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#maxBytes = maxBytes;
  }

  /** Also before there is a connection; one that has asked already is closed. */
  breakOff(reason: Error): void {
    this.#brokenOff ??= { reason };
    this.#reject(reason);
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#brokenOff !== null) controller.abort(this.#brokenOff.reason);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: IncomingHttpHeaders,
  ): void {
    this.#statusCode = statusCode;
    this.#headers = headers;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size <= this.#maxBytes) return void this.#chunks.push(chunk);
    const tooLarge = new TooLargeError(this.#maxBytes);
    this.#resolve(this.#answerWith(Promise.reject(tooLarge)));
    controller.abort(tooLarge);
  }

  onResponseEnd(): void {
    const [first = NOTHING, ...more] = this.#chunks;
    const body = more.length === 0 ? first : Buffer.concat(this.#chunks);
    const decode = decoderOf(headerOf(this.#headers['content-encoding'])?.toLowerCase());
    if (decode === null) this.#resolve(this.#whole(body));
    else this.#resolve(this.#answerWith(decode(body, this.#maxBytes)));
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#reject(error);
  }

  /** An error says what it says by its status: a page that is too large does not make a 401 anything else. */
  async #answerWith(body: Promise<Buffer>): Promise<Answer> {
    try {
      return this.#whole(await body);
    } catch (error) {
      if (!(error instanceof TooLargeError)) throw error;
      if (this.#statusCode !== 200) return this.#whole(NOTHING);
      throw new PolyAiError('malformed', error.message);
    }
  }

  #whole(body: Buffer): Answer {
    const { 'content-type': type, 'retry-after': retry } = this.#headers;
    const retryAfter = headerOf(retry);
    return {
      statusCode: this.#statusCode,
      contentType: headerOf(type),
      retryAfter,
      retryAfterMs: retryAfterMs(retryAfter, Date.now()),
      body,
    };
  }
}

const NOTHING = Buffer.alloc(0);

function headerOf(header: string | string[] | undefined): string | null {
  return (Array.isArray(header) ? header[0] : header) ?? null;
}

const NOTHING_SENT = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)/;

function networkError(error: unknown): PolyAiError {
  const message = networkMessage(error);
  return new PolyAiError(NOTHING_SENT.test(message) ? 'unreachable' : 'unavailable', message);
}

function networkMessage(error: unknown): string {
  if (error instanceof errors.UndiciError) return `${error.code}: ${error.message}`;
  if (error instanceof Error && 'code' in error) return String(error.code);
  return error instanceof Error ? error.message : 'network error';
}
