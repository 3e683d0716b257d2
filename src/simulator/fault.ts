import { gzipSync } from 'node:zlib';
import type { SimulatedApi } from './simulated-api.ts';
import { cutOff, type WebRequest, type WebResponse } from './web-server.ts';

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
  /** `100 Continue` and `103 Early Hints` before the right answer. */
  | { kind: 'interim' }
  /** The right answer, compressed though nobody asked for it. */
  | { kind: 'gzip' }
  /** The right answer, late. */
  | { kind: 'delay'; ms: number };

const SHOWING: ReadonlySet<Fault['kind']> = new Set(['stale', 'interim', 'gzip', 'delay', 'slow-drip']);

/** Whether the fault shows a status of the call all the same, if the client waits for it. */
export function isShowing(fault: Fault): boolean {
  return SHOWING.has(fault.kind);
}

/** An answer as it would be without the fault. */
interface RightAnswer {
  code: number;
  body: string;
}

/** Gives the API's answer spoiled by the fault; that a `stale` one tells an older status is up to `right`. */
export function spoil(
  fault: Fault,
  api: SimulatedApi,
  request: WebRequest,
  response: WebResponse,
  right: RightAnswer,
): void {
  const { code, body } = right;
  switch (fault.kind) {
    case 'status':
      return send(response, fault.code, fault.body ?? api.errorBody(fault.code), {
        ...(fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter }),
      });
    case 'hang':
      return;
    case 'slow-drip':
      return drip(response, right, fault.everyMs);
    case 'reset':
      return cutOff(request, { byReset: true });
    case 'cut':
      begin(response, code, jsonHeaders(body));
      return void response.write(half(body), () => cutOff(request, { byReset: false }));
    case 'html':
      return send(response, 200, '<!doctype html><title>Sign in</title><p>status: success', {
        'content-type': 'text/html',
      });
    case 'half-json':
      return send(response, code, half(body));
    case 'no-status':
      return send(response, 200, fault.body ?? '{"state":"success"}');
    case 'wrong-call-sid':
      return send(response, 200, `{"callSid":"some-other-call","status":"${api.success}"}`);
    case 'huge':
      return send(response, 200, `{"status":"${api.success}","padding":"${'x'.repeat(70_000)}"}`);
    case 'redirect':
      return send(response, 302, '', { location: api.successPath });
    case 'interim':
      response.writeContinue();
      response.writeEarlyHints({ link: '</style.css>; rel=preload' });
      return send(response, code, body);
    case 'gzip':
      return send(response, code, gzipSync(body), { 'content-encoding': 'gzip' });
    case 'delay':
      return delay(response, right, fault.ms);
    case 'stale':
      return send(response, code, body);
  }
}

/** Answers with JSON, unless `headers` say otherwise. */
export function send(
  response: WebResponse,
  code: number,
  body: string | Buffer,
  headers: Record<string, string> = {},
): void {
  begin(response, code, { ...jsonHeaders(body), ...headers });
  response.end(body);
}

function begin(response: WebResponse, code: number, headers: Record<string, string | number>): void {
  response.statusCode = code;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}

function jsonHeaders(body: string | Buffer) {
  return { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
}

function half(body: string): string {
  return body.slice(0, body.length / 2);
}

function delay(response: WebResponse, { code, body }: RightAnswer, ms: number): void {
  const timer = setTimeout(() => send(response, code, body), ms);
  response.once('close', () => clearTimeout(timer));
}

function drip(response: WebResponse, { code, body }: RightAnswer, everyMs: number): void {
  const bytes = Buffer.from(body);
  begin(response, code, jsonHeaders(bytes));
  let sent = 0;
  const timer = setInterval(() => {
    response.write(bytes.subarray(sent, ++sent));
    if (sent < bytes.length) return;
    clearInterval(timer);
    response.end();
  }, everyMs);
  response.once('close', () => clearInterval(timer));
}
