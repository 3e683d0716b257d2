import type { IncomingHttpHeaders } from 'node:http';
import { type Dispatcher, errors } from 'undici';
import type { OutgoingRequest, Sender } from './connections.ts';
import { decoderOf, TooLargeError } from './decoding.ts';
import { firstOf } from './observation.ts';
import { MAX_MESSAGE_LENGTH, PolyAiError } from './polyai-error.ts';
import { retryAfterMs } from './retry-after.ts';

/** After an abort the answer is waited for so much longer: what PolyAI is about to show should not be lost. */
const LAST_ANSWER_MS = 2_000;

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
  /** From asking for a connection to the last byte. */
  timeoutMs: number;
  /** Of the body, both as it comes and decompressed. */
  maxBytes: number;
}

/**
 * One request's answer while it comes in, as a handler of undici's `dispatch`. undici's own `request` makes a stream
 * and an abort signal for each answer: with 5,000 requests at a time over 512 connections a request took 60 µs of CPU
 * that way and takes 42 µs this way.
 */
export class PendingAnswer implements Dispatcher.DispatchHandler {
  readonly answer: Promise<Answer>;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: unknown) => void;
  readonly #sender: Sender;
  readonly #request: OutgoingRequest;
  readonly #limits: AnswerLimits;
  /**
   * All pending answers; each knows its place. This is an array because V8 links every table that a `Set` has outgrown
   * to the next one: a first table that has reached the old generation keeps the later ones in memory, and with them
   * all requests that ever were in them.
   */
  readonly #pending: PendingAnswer[];
  #place: number;
  readonly #signal: AbortSignal | undefined;
  /** When the request is broken off, by `performance.now()`. */
  #deadline: number;
  #isAborted = false;
  #isAskedAgain = false;
  #controller: Dispatcher.DispatchController | null = null;
  #brokenOff: { reason: Error } | null = null;
  #statusCode = 0;
  #headers: IncomingHttpHeaders = {};
  /** Mostly the whole body. */
  #first: Buffer | null = null;
  readonly #more: Buffer[] = [];
  #size = 0;

  /** Sends the request, and adds itself to `pending`, which it leaves once the answer is there or has failed. */
  constructor(
    sender: Sender,
    request: OutgoingRequest,
    limits: AnswerLimits,
    pending: PendingAnswer[],
    signal: AbortSignal | undefined,
  ) {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#sender = sender;
    this.#request = request;
    this.#limits = limits;
    this.#pending = pending;
    this.#place = pending.push(this) - 1;
    this.#signal = signal;
    this.#deadline = performance.now() + limits.timeoutMs;
    sender.dispatch(request, this);
  }

  /**
   * Breaks the request off where its time is over at `now`. One that waits for a connection is then never sent. Of one
   * that was sent the connection is told.
   */
  look(now: number): void {
    if (!this.#isAborted && this.#signal?.aborted) {
      this.#isAborted = true;
      this.#deadline = Math.min(this.#deadline, now + LAST_ANSWER_MS);
    }
    if (now < this.#deadline) return;
    const reason = new PolyAiError('unavailable', `no whole answer within ${this.#limits.timeoutMs} ms`);
    this.#brokenOff = { reason };
    this.#fail(reason);
    if (this.#controller === null) return;
    // In this order: the other way round the next request would be sent over the connection that is left.
    this.#request.connection?.timedOut(this.#request);
    this.#controller.abort(reason);
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
      this.#endWithoutBody(tooLarge);
      controller.abort(tooLarge);
    } else if (this.#first === null) this.#first = chunk;
    else this.#more.push(chunk);
  }

  onResponseEnd(): void {
    this.#request.connection?.answered();
    const first = this.#first ?? NOTHING;
    const body = this.#more.length === 0 ? first : Buffer.concat([first, ...this.#more]);
    const decode = decoderOf(headerOf(this.#headers['content-encoding'])?.toLowerCase());
    if (decode === null) return this.#succeed(body);
    decode(body, this.#limits.maxBytes).then(
      (decoded) => this.#succeed(decoded),
      (error: unknown) => this.#endWithoutBody(error),
    );
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#mayAskAgain()) setImmediate(() => this.#sender.dispatch(this.#request, this));
    else this.#fail(error);
  }

  /**
   * A server that takes leave of an HTTP/2 connection (GOAWAY, as some do after a thousand requests) answers what is under
   * way all the same, but undici 7.30.2 closes the connection at once, and all that shared it fail. None of that says
   * anything of a call, and a status may be asked for twice.
   */
  #mayAskAgain(): boolean {
    const { connection } = this.#request;
    const isFirst = !this.#isAskedAgain && this.#brokenOff === null && this.#statusCode === 0;
    if (!isFirst || connection === null || !connection.isShared || !connection.isBroken) return false;
    this.#isAskedAgain = true;
    return true;
  }

  /** An error's status says it all: a 401 whose page is too large is a 401 all the same. */
  #endWithoutBody(error: unknown): void {
    if (!(error instanceof TooLargeError)) this.#fail(error);
    else if (this.#statusCode !== 200) this.#succeed(NOTHING);
    else this.#fail(new PolyAiError('malformed', error.message));
  }

  #succeed(body: Buffer): void {
    this.#leave();
    const { 'content-type': contentType, 'retry-after': retry } = this.#headers;
    const retryAfter = headerOf(retry);
    this.#resolve({
      statusCode: this.#statusCode,
      contentType: headerOf(contentType),
      retryAfter,
      retryAfterMs: retryAfterMs(retryAfter, Date.now()),
      body,
    });
  }

  #fail(error: unknown): void {
    this.#leave();
    if (this.#signal?.aborted) this.#reject(this.#signal.reason);
    else this.#reject(error instanceof PolyAiError ? error : this.#networkError(error));
  }

  /** undici begins a request when it has a connection: before that, nothing of it was sent. */
  #networkError(error: unknown): PolyAiError {
    const code = this.#controller === null ? 'unreachable' : 'unavailable';
    return new PolyAiError(code, firstOf(networkMessage(error), MAX_MESSAGE_LENGTH));
  }

  /** The last one takes the place of the one that leaves. */
  #leave(): void {
    if (this.#pending[this.#place] !== this) return;
    const last = this.#pending.pop();
    if (last === undefined || last === this) return;
    last.#place = this.#place;
    this.#pending[this.#place] = last;
  }
}

const NOTHING = Buffer.alloc(0);

function headerOf(header: string | string[] | undefined): string | null {
  return (Array.isArray(header) ? header[0] : header) ?? null;
}

/** The error's code, and what Node says beside it: which host, which address. */
function networkMessage(error: unknown): string {
  if (!(error instanceof Error)) return 'network error';
  if (!('code' in error) || typeof error.code !== 'string') return error.message;
  const { code, message } = error;
  if (message === '') return code;
  const isWithCode = message.includes(code) && !(error instanceof errors.UndiciError);
  return isWithCode ? message.slice(message.indexOf(code)) : `${code}: ${message}`;
}
