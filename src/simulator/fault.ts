import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';

/** What can be wrong with PolyAI, or with what lies between. */
export type Fault =
  /** An error status, with `Retry-After` and body as given. */
  | { kind: 'status'; code: number; retryAfter?: string; body?: string }
  /** Never answers. */
  | { kind: 'hang' }
  /** The right answer, a byte at a time. */
  | { kind: 'slow-drip'; everyMs: number }
  /** The connection is cut before the answer. */
  | { kind: 'reset' }
  /** The connection is cut in the middle of the answer. */
  | { kind: 'cut' }
  /** 200 with a page, as of a proxy's login. */
  | { kind: 'html' }
  /** 200 with the first half of the right body. */
  | { kind: 'half-json' }
  /** 200 with JSON that holds no status. */
  | { kind: 'no-status'; body?: string }
  /** 200 with the success of another call. */
  | { kind: 'wrong-call-sid' }
  /** 200 with a status in over 64 KB. */
  | { kind: 'huge' }
  /** 302 to where a success would be told. */
  | { kind: 'redirect' }
  /** The status before the current one, as of a replica that lags. */
  | { kind: 'stale' }
  /** The right answer, compressed though nobody asked for it. */
  | { kind: 'gzip' }
  /** The right answer, late. */
  | { kind: 'delay'; ms: number };

/** Faults that show a status of the call all the same. */
export const SHOWING: ReadonlySet<Fault['kind']> = new Set(['stale', 'gzip', 'delay', 'slow-drip']);

/** Spoils an answer whose right body would be `right`; `current` and `stale` are handled before it comes to that. */
export function spoil(fault: Fault, request: IncomingMessage, response: ServerResponse, right: string): void {
  switch (fault.kind) {
    case 'status':
      return send(response, fault.code, fault.body ?? errorBody(fault.code), {
        ...(fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter }),
      });
    case 'hang':
      return;
    case 'slow-drip':
      return drip(response, right, fault.everyMs);
    case 'reset':
      return void request.socket.resetAndDestroy();
    case 'cut':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': right.length + 10 });
      return void response.write(right.slice(0, right.length / 2), () => request.socket.destroy());
    case 'html':
      return send(response, 200, '<!doctype html><title>Sign in</title><p>status: success', {
        'content-type': 'text/html',
      });
    case 'half-json':
      return send(response, 200, right.slice(0, right.length / 2));
    case 'no-status':
      return send(response, 200, fault.body ?? '{"state":"success"}');
    case 'wrong-call-sid':
      return send(response, 200, '{"callSid":"some-other-call","status":"success"}');
    case 'huge':
      return send(response, 200, `{"status":"success","padding":"${'x'.repeat(70_000)}"}`);
    case 'redirect':
      return send(response, 302, '', { location: '/v1/always-success' });
    case 'gzip':
      return send(response, 200, gzipSync(right), { 'content-encoding': 'gzip' });
    case 'delay':
      return void setTimeout(() => send(response, 200, right), fault.ms);
    case 'stale':
      return send(response, 200, right);
  }
}

export function send(
  response: ServerResponse,
  code: number,
  body: string | Buffer,
  headers: Record<string, string> = {},
): void {
  response.writeHead(code, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}

/** PolyAI's envelope for errors. */
export function errorBody(code: number): string {
  const messages: Record<number, string> = {
    400: 'Invalid call SID format',
    401: 'Invalid or missing token',
    403: 'Forbidden',
    404: 'Call not found',
    429: 'Too many requests',
  };
  return JSON.stringify({ error: messages[code] ?? 'Internal error', code: `E${code}` });
}

function drip(response: ServerResponse, body: string, everyMs: number): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  let sent = 0;
  const timer = setInterval(() => {
    response.write(body.charAt(sent++));
    if (sent < body.length) return;
    clearInterval(timer);
    response.end();
  }, everyMs);
  response.once('close', () => clearInterval(timer));
}
