import { pipeline, type Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { errors, Pool } from 'undici';
import { PolyAiError } from './errors.ts';
import type { ApiFlavour, Observation } from './observation.ts';
import { retryAfterMs } from './retry-after.ts';

const MAX_BODY_BYTES = 64 * 1024;
const MAX_MESSAGE_LENGTH = 300;
/** Shorter secrets, as in a trial run, are words that may well stand in an honest message. */
const SECRET_MIN_LENGTH = 8;
/** How long an answer on its way is still waited for after an abort: what PolyAI has shown should not be dropped. */
const LAST_ANSWER_MS = 2_000;

export interface PolyAiClient {
  /**
   * Asks PolyAI for a call's status, once. Throws `PolyAiError` where the answer is no status, and the signal's
   * reason where it was aborted and no answer came within another 2 s.
   */
  getStatus(callSid: string, signal: AbortSignal): Promise<Observation>;
  close(): Promise<void>;
}

export interface PolyAiClientOptions {
  baseUrl: string;
  api: ApiFlavour;
  /** Never let out again: an error body that repeats it is blotted. */
  token: string;
  /** For the whole exchange, from asking for a connection to the last byte. */
  timeoutMs: number;
  connections?: number;
}

export function createPolyAiClient(options: PolyAiClientOptions): PolyAiClient {
  const base = new URL(options.baseUrl);
  const prefix = base.pathname.replace(/\/+$/, '');
  const pool = new Pool(base.origin, {
    connections: options.connections ?? 512,
    connect: { timeout: options.timeoutMs },
    headersTimeout: 0,
    bodyTimeout: 0,
  });

  async function getStatus(callSid: string, signal: AbortSignal): Promise<Observation> {
    const answer = await exchange(callSid, signal);
    const body = parseJson(answer.text);
    if (answer.statusCode !== 200) throw errorOf(answer, describe(answer.statusCode, body));
    if (body === undefined) throw new PolyAiError('malformed', '200 with a body that is not JSON');
    return options.api.observe(callSid, body);
  }

  async function exchange(callSid: string, signal: AbortSignal): Promise<Answer> {
    const { path, headers } = options.api.statusRequest(callSid);
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(timedOut()), options.timeoutMs);
    let lastTimer: NodeJS.Timeout | undefined;
    const onAbort = () => {
      lastTimer = setTimeout(() => abort.abort(signal.reason), LAST_ANSWER_MS);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      signal.throwIfAborted();
      const response = await pool.request({
        method: 'GET',
        path: prefix + path,
        headers,
        signal: abort.signal,
      });
      return {
        statusCode: response.statusCode,
        retryAfter: response.headers['retry-after'],
        text: await readBody(decoded(response.body, response.headers['content-encoding'])),
      };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw error instanceof PolyAiError ? error : new PolyAiError('unavailable', networkMessage(error));
    } finally {
      clearTimeout(timer);
      clearTimeout(lastTimer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  function timedOut(): PolyAiError {
    return new PolyAiError('unavailable', `no whole answer within ${options.timeoutMs} ms`);
  }

  function describe(statusCode: number, body: unknown): string {
    const message = options.api.errorMessage(body);
    if (message === null) return `HTTP ${statusCode}`;
    return `HTTP ${statusCode}: ${blot(message.toWellFormed().replaceAll('\0', '')).slice(0, MAX_MESSAGE_LENGTH)}`;
  }

  function blot(message: string): string {
    return options.token.length < SECRET_MIN_LENGTH ? message : message.replaceAll(options.token, '[token]');
  }

  return { getStatus, close: () => pool.destroy() };
}

interface Answer {
  statusCode: number;
  retryAfter: string | string[] | undefined;
  text: string;
}

/** Nobody asks for compression, but a proxy may compress all the same. The limit is on what comes out. */
function decoded(body: Readable, encoding: string | string[] | undefined): AsyncIterable<Buffer> {
  const decoder = decoderOf(`${encoding}`.toLowerCase());
  return decoder === null ? body : pipeline(body, decoder, () => {});
}

function decoderOf(encoding: string) {
  switch (encoding) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip();
    case 'deflate':
      return createInflate();
    case 'br':
      return createBrotliDecompress();
    default:
      return null;
  }
}

async function readBody(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    // Leaving the loop destroys the body, and with it the connection.
    if (size > MAX_BODY_BYTES) throw new PolyAiError('malformed', `a body of over ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function errorOf(answer: Answer, message: string): PolyAiError {
  switch (answer.statusCode) {
    case 400:
      return new PolyAiError('rejected', message);
    case 401:
    case 403:
      return new PolyAiError('unauthorized', message);
    case 404:
      return new PolyAiError('not_found', message);
    default:
      return new PolyAiError('unavailable', message, retryAfterMs(answer.retryAfter, Date.now()));
  }
}

function networkMessage(error: unknown): string {
  if (error instanceof errors.UndiciError) return `${error.code}: ${error.message}`;
  if (error instanceof Error && 'code' in error) return String(error.code);
  return error instanceof Error ? error.message : 'network error';
}
