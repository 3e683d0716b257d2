import { pipeline, type Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { errors, type Pool } from 'undici';
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
  const abort = new AbortController();
  const timedOut = () => new PolyAiError('unavailable', `no whole answer within ${timeoutMs} ms`);
  const timer = setTimeout(() => abort.abort(timedOut()), timeoutMs);
  let lastTimer: NodeJS.Timeout | undefined;
  const onAbort = () => {
    lastTimer = setTimeout(() => abort.abort(signal?.reason), LAST_ANSWER_MS);
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    signal?.throwIfAborted();
    const response = await pool.request({ ...asked, signal: abort.signal });
    const { 'content-encoding': encoding, 'content-type': type, 'retry-after': retry } = response.headers;
    const retryAfter = first(retry);
    return {
      statusCode: response.statusCode,
      contentType: first(type),
      retryAfter,
      retryAfterMs: retryAfterMs(retryAfter, Date.now()),
      body: await readBody(decoded(response.body, first(encoding)), maxBytes, response.statusCode),
    };
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw error instanceof PolyAiError ? error : networkError(error);
  } finally {
    clearTimeout(timer);
    clearTimeout(lastTimer);
    signal?.removeEventListener('abort', onAbort);
  }
}

function first(header: string | string[] | undefined): string | null {
  return (Array.isArray(header) ? header[0] : header) ?? null;
}

/** Nobody asks for compression, but a proxy may compress all the same. The limit is on what comes out. */
function decoded(body: Readable, encoding: string | null): AsyncIterable<Buffer> {
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

/** An error says what it says by its status: a page that is too large does not make a 401 anything else. */
async function readBody(body: AsyncIterable<Buffer>, maxBytes: number, statusCode: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    // Leaving the loop destroys the body, and with it the connection.
    if (size > maxBytes) {
      if (statusCode !== 200) return Buffer.alloc(0);
      throw new PolyAiError('malformed', `a body of over ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
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
