import { type Fault, isShowing, send, spoil } from './fault.ts';
import { Journal } from './journal.ts';
import type { BodyStyle, SimulatedCall } from './life.ts';
import { type FaultScope, Misbehaviour } from './misbehaviour.ts';
import { agents } from './simulated-agents.ts';
import type { SimulatedApi, StatusRequest, TriggerRoute } from './simulated-api.ts';
import { type Life, type PlaceOptions, SimulatedCalls } from './simulated-calls.ts';
import { outboundCalling } from './simulated-outbound-calling.ts';
import { TokenBucket } from './token-bucket.ts';
import { isPlacing, jsonFields, readText, type TriggerEntry, type TriggerFault } from './trigger.ts';
import { startWebServer, type WebRequest, type WebResponse, type WebServerOptions } from './web-server.ts';

export interface SimulatorOptions {
  host?: string;
  port?: number;
  /** Without it the simulator speaks plain HTTP/1.1. */
  tls?: WebServerOptions['tls'];
  /** Requests with another token get 401; without this option any token will do, but there must be one. */
  token?: string;
  /** After the end of a call; PolyAI's own is about two hours. */
  forgetAfterMs?: number;
  style?: BodyStyle;
  /** The life of calls placed over HTTP, by the fields of the request that places one. */
  placed?: (fields: Record<string, unknown>) => Life;
  /** What a callSid that was never placed means: it is placed when it is first asked for. null: it is unknown. */
  firstAsked?: (callSid: string) => Life | null;
  /** Whether a callSid is refused as none, by 400. */
  isInvalid?: (callSid: string) => boolean;
  /** Numbers in [0, 1) for faults that strike at random; `seededRandom` for runs that can be repeated. */
  random?: () => number;
  /** false: count polls only, and keep no triggers. */
  keepPolls?: boolean;
  /** Status requests and triggers beyond it get 429. */
  maxRequestsPerSecond?: number;
}

export interface Simulator {
  readonly url: string;
  readonly journal: Journal;
  readonly calls: ReadonlyMap<string, SimulatedCall>;
  /** The trigger requests that came in whole, those that were refused too. */
  readonly triggers: readonly Readonly<TriggerEntry>[];
  /** Places a call and returns its callSid. */
  place(options?: PlaceOptions): string;
  setStatus(callSid: string, status: string, reason?: string): void;
  forget(callSid: string): void;
  setToken(token: string): void;
  /** null: no limit any more. */
  setMaxRequestsPerSecond(limit: number | null): void;
  /** From now on something is wrong with status requests; the function that is returned puts it right. */
  misbehave(fault: Fault, scope?: FaultScope): () => void;
  /** The same for triggers. */
  misbehaveTriggers(fault: TriggerFault, scope?: Pick<FaultScope, 'times'>): () => void;
  /** Connections that are open now take requests and answer none, as if something between had forgotten them. */
  freezeConnections(): void;
  /** Requests whose answer is not out yet. */
  openRequests(): number;
  /** Cuts what is still open. */
  stop(): Promise<void>;
}

const TWO_HOURS_MS = 2 * 60 * 60_000;

/** The id that no call has: PolyAI's are random. */
const NO_CALL = '00000000-0000-0000-0000-000000000000';

/** PolyAI's APIs over real HTTP, with calls that live, end and are forgotten, and faults on demand. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { host = '127.0.0.1', keepPolls = true, random = Math.random } = options;
  const calls = new SimulatedCalls(options.style ?? 'march-2026', options.forgetAfterMs ?? TWO_HOURS_MS);
  const journal = new Journal(keepPolls);
  const triggers: TriggerEntry[] = [];
  const pollFaults = new Misbehaviour<Fault>(random);
  const triggerFaults = new Misbehaviour<TriggerFault>(random);
  let token = options.token;
  let limit = limitOf(options.maxRequestsPerSecond ?? null);
  let openRequests = 0;

  function onRequest(request: WebRequest, response: WebResponse): void {
    openRequests++;
    response.once('close', onClose);
    const { method, url = '' } = request;
    const api = url.startsWith('/v1/agents/') ? agents : outboundCalling;
    const asked = method === 'GET' ? api.statusRequest(url) : null;
    const silentMs = web.silentMs(request);
    if (silentMs !== null) return swallow(asked, silentMs, { request, response });
    if (asked !== null) return answerStatus(api, asked, request, response);
    const route = method === 'POST' ? api.triggerRoute(url) : null;
    if (route !== null) return void answerTrigger(api, route, request, response);
    if (!isAuthorized(api, request)) return refuse(api, 401, response);
    if (method === 'GET' && url === api.successPath)
      return send(response, 200, `{"status":"${api.success}"}`);
    refuse(api, 404, response);
  }

  /** A request over a frozen connection: of a poll, that it was made is kept. */
  function swallow(
    asked: StatusRequest | null,
    silentMs: number,
    exchange: { request: WebRequest; response: WebResponse },
  ): void {
    if (asked === null || asked.callSid === null) return;
    journal.open(asked.callSid, { at: Date.now(), fault: 'frozen', silentMs }, null, exchange);
  }

  function onClose(): void {
    openRequests--;
  }

  function isAuthorized(api: SimulatedApi, request: WebRequest): boolean {
    const given = request.headers[api.tokenHeader];
    return typeof given === 'string' && given !== '' && (token === undefined || given === token);
  }

  /** Why a request gets no further than the door, as an HTTP status. */
  function refusal(api: SimulatedApi, request: WebRequest): number | null {
    if (!isAuthorized(api, request)) return 401;
    return limit === null || limit.allows(performance.now()) ? null : 429;
  }

  function answerStatus(
    api: SimulatedApi,
    { callSid, asker, isValid }: StatusRequest,
    request: WebRequest,
    response: WebResponse,
  ): void {
    if (callSid === null) return refuse(api, 400, response);
    const at = Date.now();
    const refused = refusal(api, request) ?? (isValid && !options.isInvalid?.(callSid) ? null : 400);
    if (refused !== null) {
      if (callSid === NO_CALL) return refuse(api, refused, response);
      journal.open(callSid, { at, fault: null }, null, { request, response });
      return refuse(api, refused, response);
    }
    // Asked of no call, as to try a token: it is no poll, and nothing goes wrong with it.
    if (callSid === NO_CALL) return send(response, 404, api.errorBody(404));
    const begun = calls.placed.has(callSid) ? null : options.firstAsked?.(callSid);
    if (begun) calls.place({ ...begun, callSid });
    const fault = pollFaults.strike(callSid);
    const told = calls.tell(callSid, { api, asker, at, stale: fault?.kind === 'stale' });
    const shown = told === null || (fault !== null && !isShowing(fault)) ? null : told.shown;
    journal.open(callSid, { at, fault: fault?.kind ?? null }, shown, { request, response });
    const right = told === null ? { code: 404, body: api.errorBody(404) } : { code: 200, body: told.body };
    if (fault === null) send(response, right.code, right.body);
    else spoil(fault, api, request, response, right);
  }

  async function answerTrigger(
    api: SimulatedApi,
    route: TriggerRoute,
    request: WebRequest,
    response: WebResponse,
  ): Promise<void> {
    const { headers, url: path = '' } = request;
    const at = Date.now();
    const body = await readText(request);
    if (body === null) return;
    const entry: TriggerEntry = { at, path, headers, body, callSid: null };
    if (keepPolls) triggers.push(entry);
    const refused = refusal(api, request);
    if (refused !== null) return refuse(api, refused, response);
    const fault = triggerFaults.strike(null);
    const fields = jsonFields(body);
    const wanted = route.wanted(fields);
    if (wanted !== null && (fault === null || isPlacing(fault))) {
      entry.callSid = calls.place({ ...wanted, ...options.placed?.(fields) });
    }
    const right =
      entry.callSid === null
        ? { code: 400, body: api.errorBody(400) }
        : { code: 200, body: route.answer(entry.callSid) };
    if (fault === null) return send(response, right.code, right.body);
    spoil(fault.kind === 'placed-then-cut' ? { kind: 'reset' } : fault, api, request, response, right);
  }

  const { tls, port = 0 } = options;
  const web = await startWebServer({ host, port, tls }, onRequest);

  return {
    url: web.url,
    journal,
    calls: calls.placed,
    triggers,
    place: (placing) => calls.place(placing),
    setStatus: (callSid, status, reason = '') => calls.known(callSid).set(status, reason, Date.now()),
    forget: (callSid) => calls.known(callSid).forget(Date.now()),
    setToken: (next) => {
      token = next;
    },
    setMaxRequestsPerSecond: (next) => {
      limit = limitOf(next);
    },
    misbehave: (fault, scope = {}) => pollFaults.begin(fault, scope),
    misbehaveTriggers: (fault, scope = {}) => triggerFaults.begin(fault, scope),
    freezeConnections: () => web.freezeConnections(),
    openRequests: () => openRequests,
    stop: () => web.stop(),
  };
}

function limitOf(perSecond: number | null): TokenBucket | null {
  return perSecond === null ? null : new TokenBucket(perSecond, performance.now());
}

function refuse(api: SimulatedApi, code: number, response: WebResponse): void {
  send(response, code, api.errorBody(code), code === 429 ? { 'retry-after': '1' } : {});
}
