import { Agent, buildConnector, type Dispatcher } from 'undici';
import { ProxyError, tunnelled } from '../network/tunnel.ts';
import { retryAfterMs } from '../polyai/retry-after.ts';
import { codeOf } from '../words.ts';
import { READ_FOR_KEPT_BYTES } from './redaction.ts';
import { TargetError, type Targets, type Way } from './targets.ts';

/** What came of a request to an endpoint. */
export interface Answer {
  result: 'success' | 'refused' | 'timeout' | 'unreachable' | 'forbidden' | 'broken' | 'stopped';
  /** null where there was none. */
  statusCode: number | null;
  /** The beginning of its body. */
  text: string;
  /** Why it is no success; null where it is one. */
  error: string | null;
  retryAfterMs: number | null;
  ms: number;
}

export interface Request {
  url: string;
  headers: Record<string, string>;
  body: string;
}

export interface Poster {
  /** Sends it, once, and never rejects. An abort ends it: the receiver may have got it all the same. */
  post(request: Request, stopped: AbortSignal): Promise<Answer>;
  close(): Promise<void>;
}

/** For the whole answer, from the asking for a connection on. */
const ANSWER_WITHIN_MS = 15_000;
const CONNECT_WITHIN_MS = 10_000;
/** An answer that is longer is none: what lies between is read and dropped, so that its connection can be used again. */
const READ_BYTES = 64 * 1_024;
const KEEP_ALIVE_MS = 10_000;

export function createPoster({
  targets,
  connections,
  answerWithinMs = ANSWER_WITHIN_MS,
}: {
  targets: Targets;
  /** To one endpoint. */
  connections: number;
  answerWithinMs?: number;
}): Poster {
  const agent = new Agent({
    connect: connectorTo(targets),
    connections,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    // The whole answer has one time limit.
    headersTimeout: 0,
    bodyTimeout: 0,
  });

  async function ask({ url, headers, body }: Request, signal: AbortSignal): Promise<Omit<Answer, 'ms'>> {
    const { origin, pathname, search } = new URL(url);
    const response = await agent.request({
      origin,
      path: pathname + search,
      method: 'POST',
      headers,
      body,
      signal,
    });
    const { statusCode } = response;
    const text = await read(response.body);
    const isSuccess = statusCode >= 200 && statusCode < 300;
    return {
      result: isSuccess ? 'success' : 'refused',
      statusCode,
      text,
      error: isSuccess ? null : `answered ${statusCode}`,
      retryAfterMs: isSuccess ? null : retryAfterMs(headerOf(response.headers, 'retry-after'), Date.now()),
    };
  }

  return {
    async post(request, stopped) {
      const begunAt = performance.now();
      const timeout = new AbortController();
      const timer = setTimeout(() => timeout.abort(), answerWithinMs);
      const stop = () => timeout.abort();
      stopped.addEventListener('abort', stop, { once: true });
      if (stopped.aborted) stop();
      const answer = await ask(request, timeout.signal).catch((error: unknown) =>
        failure(error, { isStopped: stopped.aborted, isLate: timeout.signal.aborted }),
      );
      clearTimeout(timer);
      stopped.removeEventListener('abort', stop);
      return { ...answer, ms: Math.round(performance.now() - begunAt) };
    },
    close: () => agent.destroy(),
  };
}

/** By the way that was found for just this connection: what a name leads to may change. */
function connectorTo(targets: Targets): buildConnector.connector {
  return (options, callback) => {
    const { protocol, hostname, port } = options;
    targets.wayTo(`${protocol}//${hostname}${port ? `:${port}` : ''}`).then(
      (way) => connectorBy(way)(options, callback),
      (error: Error) => callback(error, null),
    );
  };
}

function connectorBy(way: Way): buildConnector.connector {
  const timeout = CONNECT_WITHIN_MS;
  if (way.kind === 'proxy') return tunnelled(way.proxy, buildConnector({ timeout }), timeout);
  return buildConnector({
    timeout,
    lookup: (_hostname, { all }, found) => {
      const [first] = way.addresses;
      if (all) found(null, [...way.addresses]);
      else found(null, first?.address ?? '', first?.family);
    },
  });
}

/** The beginning of a body. Throws where it is too long or breaks off. */
async function read(body: Dispatcher.ResponseData['body']): Promise<string> {
  const kept: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    if (!Buffer.isBuffer(chunk)) continue;
    if (length < READ_FOR_KEPT_BYTES) kept.push(chunk.subarray(0, READ_FOR_KEPT_BYTES - length));
    length += chunk.length;
    // To leave the loop closes the connection.
    if (length > READ_BYTES) throw new Error(`the answer is longer than ${READ_BYTES / 1024} KB`);
  }
  return Buffer.concat(kept).toString('utf8');
}

function failure(
  error: unknown,
  { isStopped, isLate }: { isStopped: boolean; isLate: boolean },
): Omit<Answer, 'ms'> {
  const none = { statusCode: null, text: '', retryAfterMs: null };
  if (isStopped) return { ...none, result: 'stopped', error: 'polykeep stopped' };
  if (isLate) return { ...none, result: 'timeout', error: 'no whole answer in time' };
  if (error instanceof TargetError) {
    const result = error.code === 'forbidden_address' ? 'forbidden' : 'unreachable';
    return { ...none, result, error: error.message };
  }
  if (error instanceof ProxyError) return { ...none, result: 'unreachable', error: error.message };
  const code = codeOf(error) ?? '';
  const message = error instanceof Error ? error.message : String(error);
  const isUnreachable = /^(ECONN(REFUSED|RESET)|E(HOST|NET)UNREACH|ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/.test(
    code,
  );
  return {
    ...none,
    result: isUnreachable ? 'unreachable' : 'broken',
    error: [code, message].filter((part) => part !== '').join(': '),
  };
}

function headerOf(headers: Dispatcher.ResponseData['headers'], name: string): string | null {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? null;
}
