import type { IncomingHttpHeaders } from 'node:http';
import { type Dispatcher, errors, type Pool } from 'undici';
import { decoderOf, TooLargeError } from './decoding.ts';
import { PolyAiError } from './polyai-error.ts';
import { retryAfterMs } from './retry-after.ts';

/** How long an answer on its way is still waited for after an abort: what PolyAI has shown should not be dropped. */
const LAST_ANSWER_MS = 2_000;
const LOOK_EVERY_MS = 100;

export interface OutgoingRequest {
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

export interface AnswerLimits {
  /** For the whole exchange, from asking for a connection to the last byte. */
  timeoutMs: number;
  maxBytes: number;
}

/**
 * What is asked over one pool. All that is under way is looked at together, ten times a second: a timer and a listener
 * for each would be made and thrown away with every poll.
 */
export class Transport {
  readonly #pool: Pool;
  readonly #underWay: PendingAnswer[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /**
   * Asks once. Rejects with `PolyAiError` `unreachable` or `unavailable` where there is no whole answer in time,
   * `malformed` for a 200 that is too large, and the signal's reason where it was aborted and no answer came within
   * another 2 s.
   */
  ask(asked: OutgoingRequest, limits: AnswerLimits, signal?: AbortSignal): Promise<Answer> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const pending = new PendingAnswer(limits, this.#underWay, signal);
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#pool.dispatch(asked, pending);
    return pending.answer;
  }

  #look(): void {
    const now = performance.now();
    // From the end, since whoever leaves has the last one take its place.
    for (let place = this.#underWay.length - 1; place >= 0; place--) this.#underWay[place]?.look(now);
    if (this.#underWay.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/**
 * Takes an answer in. undici's own `request` makes a stream and an abort signal of each: half of what a poll takes.
 */
class PendingAnswer implements Dispatcher.DispatchHandler {
  readonly answer: Promise<Answer>;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: unknown) => void;
  readonly #limits: AnswerLimits;
  /** No Set: each of its tables points to the next, so that an old one keeps alive all that ever was in later ones. */
  readonly #underWay: PendingAnswer[];
  #place: number;
  readonly #signal: AbortSignal | undefined;
  /** When it is broken off; by `performance.now()`. */
  #deadline: number;
  #isAborted = false;
  #controller: Dispatcher.DispatchController | null = null;
  #brokenOff: { reason: Error } | null = null;
  #statusCode = 0;
  #headers: IncomingHttpHeaders = {};
  /** The whole body, mostly. */
  #first: Buffer | null = null;
  readonly #more: Buffer[] = [];
  #size = 0;

  constructor(limits: AnswerLimits, underWay: PendingAnswer[], signal: AbortSignal | undefined) {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#limits = limits;
    this.#underWay = underWay;
    this.#place = underWay.push(this) - 1;
    this.#signal = signal;
    this.#deadline = performance.now() + limits.timeoutMs;
  }

  /** Breaks it off where its time is over, also before there is a connection; one that has asked already is closed. */
  look(now: number): void {
    if (!this.#isAborted && this.#signal?.aborted) {
      this.#isAborted = true;
      this.#deadline = Math.min(this.#deadline, now + LAST_ANSWER_MS);
    }
    if (now < this.#deadline) return;
    const reason = new PolyAiError('unavailable', `no whole answer within ${this.#limits.timeoutMs} ms`);
    this.#brokenOff = { reason };
    this.#fail(reason);
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
    if (this.#size > this.#limits.maxBytes) {
      const tooLarge = new TooLargeError(this.#limits.maxBytes);
      this.#noBody(tooLarge);
      controller.abort(tooLarge);
    } else if (this.#first === null) this.#first = chunk;
    else this.#more.push(chunk);
  }

  onResponseEnd(): void {
    const first = this.#first ?? NOTHING;
    const body = this.#more.length === 0 ? first : Buffer.concat([first, ...this.#more]);
    const decode = decoderOf(headerOf(this.#headers['content-encoding'])?.toLowerCase());
    if (decode === null) return this.#succeed(body);
    decode(body, this.#limits.maxBytes).then(
      (decoded) => this.#succeed(decoded),
      (error: unknown) => this.#noBody(error),
    );
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(error);
  }

  /** An error says what it says by its status: a page that is too large does not make a 401 anything else. */
  #noBody(error: unknown): void {
    if (!(error instanceof TooLargeError)) this.#fail(error);
    else if (this.#statusCode !== 200) this.#succeed(NOTHING);
    else this.#fail(new PolyAiError('malformed', error.message));
  }

  #succeed(body: Buffer): void {
    this.#leave();
    this.#resolve(this.#whole(body));
  }

  #fail(error: unknown): void {
    this.#leave();
    if (this.#signal?.aborted) this.#reject(this.#signal.reason);
    else this.#reject(error instanceof PolyAiError ? error : networkError(error));
  }

  #leave(): void {
    if (this.#underWay[this.#place] !== this) return;
    const last = this.#underWay.pop();
    if (last === undefined || last === this) return;
    last.#place = this.#place;
    this.#underWay[this.#place] = last;
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
