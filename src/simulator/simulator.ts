import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { errorBody, type Fault, isShowing, send, spoil } from './fault.ts';
import { Journal } from './journal.ts';
import { type BodyStyle, SimulatedCall, type Step } from './life.ts';
import { type FaultScope, Misbehaviour } from './misbehaviour.ts';
import { numberToCall } from './trigger.ts';

export interface SimulatorOptions {
  host?: string;
  port?: number;
  /** Requests with another token get 401; without this option any token will do, but there must be one. */
  token?: string;
  /** After the end of a call; PolyAI's own is about two hours. */
  forgetAfterMs?: number;
  style?: BodyStyle;
  /** The life of calls placed over HTTP. */
  script?: () => readonly Step[];
  /** Numbers in [0, 1) for faults that strike at random; `seededRandom` for runs that can be repeated. */
  random?: () => number;
  /** false: count polls only. */
  keepPolls?: boolean;
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
  /** Requests whose answer is not out yet. */
  openRequests(): number;
  /** Cuts what is still open. */
  stop(): Promise<void>;
}

const TWO_HOURS_MS = 2 * 60 * 60_000;
const STATUS_PATH = /^\/v1\/outbound-calling\/([^/?]+)\/status(?:\?|$)/;
const TRIGGERS = new Map<string, BodyStyle>([
  ['/v1/outbound-calling', 'mid-2026'],
  ['/v1/outbound-calling/trigger', 'march-2026'],
]);
const DEFAULT_SCRIPT: readonly Step[] = [
  { status: 'queued', forMs: 2_000 },
  { status: 'calling', forMs: 5_000 },
  { status: 'success', forMs: 0 },
];

/** PolyAI's Outbound Calling API over real HTTP, with calls that live, end and are forgotten, and faults on demand. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { host = '127.0.0.1', style = 'march-2026', forgetAfterMs = TWO_HOURS_MS } = options;
  const calls = new Map<string, SimulatedCall>();
  const journal = new Journal(options.keepPolls ?? true);
  const misbehaviour = new Misbehaviour(options.random ?? Math.random);
  let token = options.token;
  let openRequests = 0;

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
    openRequests++;
    response.once('close', onClose);
    const { method, url = '' } = request;
    const segment = method === 'GET' ? STATUS_PATH.exec(url)?.[1] : undefined;
    if (segment !== undefined) return answerStatus(segment, request, response);
    if (!isAuthorized(request)) return send(response, 401, errorBody(401));
    const trigger = method === 'POST' ? TRIGGERS.get(url) : undefined;
    if (trigger !== undefined) return void answerTrigger(request, response, trigger);
    if (method === 'GET' && url === '/v1/always-success') return send(response, 200, '{"status":"success"}');
    send(response, 404, errorBody(404));
  }

  function onClose(): void {
    openRequests--;
  }

  function isAuthorized(request: IncomingMessage): boolean {
    const given = request.headers['x-polyai-auth-token'];
    return typeof given === 'string' && given !== '' && (token === undefined || given === token);
  }

  function answerStatus(segment: string, request: IncomingMessage, response: ServerResponse): void {
    const callSid = decode(segment);
    if (callSid === null) return send(response, 400, errorBody(400));
    const at = Date.now();
    if (!isAuthorized(request)) {
      journal.open(callSid, { at, fault: null }, null, response);
      return send(response, 401, errorBody(401));
    }
    const fault = misbehaviour.strike(callSid);
    const told = tell(callSid, at, fault?.kind === 'stale');
    const shown = told === null || (fault !== null && !isShowing(fault)) ? null : told.shown;
    journal.open(callSid, { at, fault: fault?.kind ?? null }, shown, response);
    const right = told === null ? { code: 404, body: errorBody(404) } : { code: 200, body: told.body };
    if (fault === null) send(response, right.code, right.body);
    else spoil(fault, request, response, right);
  }

  /** What there is to tell of a call; null where it is not known, or not any more. */
  function tell(callSid: string, at: number, stale: boolean) {
    const call = calls.get(callSid);
    if (call === undefined || call.isForgotten(at, forgetAfterMs)) return null;
    const { current, previous } = call.at(at);
    const change = stale ? (previous ?? current) : current;
    return { shown: call.shown(change), body: call.body(change) };
  }

  async function answerTrigger(
    request: IncomingMessage,
    response: ServerResponse,
    answer: BodyStyle,
  ): Promise<void> {
    const number = await numberToCall(request);
    if (number === null) return send(response, 400, errorBody(400));
    const callSid = place({ style: answer, script: options.script?.() ?? DEFAULT_SCRIPT });
    send(response, 200, JSON.stringify(answer === 'mid-2026' ? { call_sid: callSid } : { callSid }));
  }

  function known(callSid: string): SimulatedCall {
    const call = calls.get(callSid);
    if (call === undefined) throw new Error(`${callSid} was never placed`);
    return call;
  }

  const server = createServer({ keepAliveTimeout: 60_000 }, onRequest);
  await new Promise<void>((listening, fail) => {
    server.once('error', fail);
    server.listen(options.port ?? 0, host, listening);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the simulator has no port');

  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    journal,
    calls,
    place,
    setStatus: (callSid, status, reason = '') => known(callSid).set(status, reason, Date.now()),
    forget: (callSid) => known(callSid).forget(Date.now()),
    setToken: (next) => {
      token = next;
    },
    misbehave: (fault, scope = {}) => misbehaviour.begin(fault, scope),
    openRequests: () => openRequests,
    async stop() {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    },
  };
}

function decode(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}
