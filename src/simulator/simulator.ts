import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { errorBody, type Fault, SHOWING, send, spoil } from './fault.ts';
import { Journal } from './journal.ts';
import { type BodyStyle, SimulatedCall, type Step } from './life.ts';

export interface SimulatorOptions {
  port?: number;
  /** Requests with another token get 401; without this option any token will do, but there must be one. */
  token?: string;
  /** After the end of a call; PolyAI's own is about two hours. */
  forgetAfterMs?: number;
  style?: BodyStyle;
  /** The life of calls placed over HTTP. */
  script?: () => readonly Step[];
  /** Numbers in [0, 1) for faults that strike at random; give a seeded one for runs that can be repeated. */
  random?: () => number;
  /** false: count polls only. */
  keepPolls?: boolean;
}

export interface FaultScope {
  /** Only this call; without it, all. */
  callSid?: string;
  /** Only so many requests; without it, until it is ended. */
  times?: number;
  /** Only this share of the requests, at random. */
  share?: number;
}

export interface Simulator {
  readonly url: string;
  readonly journal: Journal;
  readonly calls: ReadonlyMap<string, SimulatedCall>;
  /** Places a call and returns its callSid. */
  place(options?: { callSid?: string; script?: readonly Step[]; style?: BodyStyle }): string;
  setStatus(callSid: string, status: string, reason?: string): void;
  forget(callSid: string): void;
  setToken(token: string): void;
  /** From now on something is wrong; the function that is returned puts it right. */
  misbehave(fault: Fault, scope?: FaultScope): () => void;
  stop(): Promise<void>;
}

const TWO_HOURS_MS = 2 * 60 * 60_000;
const STATUS_PATH = /^\/v1\/outbound-calling\/([^/]+)\/status$/;
const DEFAULT_SCRIPT: readonly Step[] = [
  { status: 'queued', forMs: 2_000 },
  { status: 'calling', forMs: 5_000 },
  { status: 'success', forMs: 0 },
];

/** PolyAI's Outbound Calling API over real HTTP, with calls that live, end and are forgotten, and faults on demand. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { style = 'march-2026', forgetAfterMs = TWO_HOURS_MS, random = Math.random } = options;
  const calls = new Map<string, SimulatedCall>();
  const journal = new Journal(options.keepPolls ?? true);
  const faults = new Set<{ fault: Fault; scope: FaultScope; left: number }>();
  let token = options.token;

  function place({
    callSid,
    script = DEFAULT_SCRIPT,
    style: ownStyle = style,
  }: Parameters<Simulator['place']>[0] = {}) {
    const sid = callSid ?? (ownStyle === 'mid-2026' ? `OUT-${randomUUID()}` : randomUUID());
    calls.set(sid, new SimulatedCall(sid, ownStyle, script, Date.now()));
    return sid;
  }

  function onRequest(request: IncomingMessage, response: ServerResponse): void {
    const { method, url = '' } = request;
    if (!isAuthorized(request)) return send(response, 401, errorBody(401));
    if (method === 'POST' && url === '/v1/outbound-calling')
      return void trigger(request, response, 'mid-2026');
    if (method === 'POST' && url === '/v1/outbound-calling/trigger')
      return void trigger(request, response, 'march-2026');
    if (method === 'GET' && url === '/v1/always-success') return send(response, 200, '{"status":"success"}');
    const segment = method === 'GET' ? STATUS_PATH.exec(url)?.[1] : undefined;
    if (segment === undefined) return send(response, 404, errorBody(404));
    answerStatus(decodeURIComponent(segment), request, response);
  }

  function isAuthorized(request: IncomingMessage): boolean {
    const given = request.headers['x-polyai-auth-token'];
    return typeof given === 'string' && given !== '' && (token === undefined || given === token);
  }

  function answerStatus(callSid: string, request: IncomingMessage, response: ServerResponse): void {
    const at = Date.now();
    const call = calls.get(callSid);
    const fault = strike(callSid);
    if (call === undefined || call.isForgotten(at, forgetAfterMs)) {
      journal.add(callSid, { at, shown: null, fault: fault?.kind ?? null });
      return fault === null
        ? send(response, 404, errorBody(404))
        : spoil(fault, request, response, errorBody(404));
    }
    const { current, previous } = call.at(at);
    const told = fault?.kind === 'stale' ? (previous ?? current) : current;
    const shown =
      fault === null || SHOWING.has(fault.kind) ? { status: told.status, reason: told.reason } : null;
    journal.add(callSid, { at, shown, fault: fault?.kind ?? null });
    const body = call.body(told);
    if (fault === null) send(response, 200, body);
    else spoil(fault, request, response, body);
  }

  /** The fault that strikes this request, the latest first. */
  function strike(callSid: string): Fault | null {
    for (const entry of [...faults].reverse()) {
      const { scope, fault } = entry;
      if (scope.callSid !== undefined && scope.callSid !== callSid) continue;
      if (scope.share !== undefined && random() >= scope.share) continue;
      if (--entry.left <= 0) faults.delete(entry);
      return fault;
    }
    return null;
  }

  async function trigger(
    request: IncomingMessage,
    response: ServerResponse,
    answer: BodyStyle,
  ): Promise<void> {
    const body = await readJson(request);
    const number =
      typeof body === 'object' && body !== null && 'to_number' in body ? body.to_number : undefined;
    if (typeof number !== 'string' || !/^\+[1-9]\d{1,14}$/.test(number))
      return send(response, 400, errorBody(400));
    const callSid = place({ style: answer, script: options.script?.() ?? DEFAULT_SCRIPT });
    send(response, 200, JSON.stringify(answer === 'mid-2026' ? { call_sid: callSid } : { callSid }));
  }

  function known(callSid: string): SimulatedCall {
    const call = calls.get(callSid);
    if (call === undefined) throw new Error(`${callSid} was never placed`);
    return call;
  }

  const server = createServer({ keepAliveTimeout: 60_000 }, onRequest);
  await new Promise<void>((listening) => server.listen(options.port ?? 0, '127.0.0.1', listening));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the simulator has no port');

  return {
    url: `http://127.0.0.1:${address.port}`,
    journal,
    calls,
    place,
    setStatus: (callSid, status, reason = '') => known(callSid).set(status, reason, Date.now()),
    forget: (callSid) => known(callSid).forget(Date.now()),
    setToken: (next) => {
      token = next;
    },
    misbehave(fault, scope = {}) {
      const entry = { fault, scope, left: scope.times ?? Infinity };
      faults.add(entry);
      return () => void faults.delete(entry);
    },
    async stop() {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += chunk;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
