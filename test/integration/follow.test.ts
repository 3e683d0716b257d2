import { type Logger, pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type Account, type Connection, createAccount } from '../../src/accounts/account.ts';
import { createRateLimit } from '../../src/accounts/rate-limit.ts';
import { createRegistrar } from '../../src/archive/write/registrar.ts';
import { createWriter } from '../../src/archive/write/writer.ts';
import type { Call, FollowedCall } from '../../src/call/call.ts';
import { MAX_TRANSITIONS } from '../../src/call/lifecycle.ts';
import { createFollower } from '../../src/follow/follower.ts';
import type { FollowResult } from '../../src/follow/lease.ts';
import type { FollowSettings } from '../../src/follow/one-lease.ts';
import type { ReportingArchive } from '../../src/follow/recorder.ts';
import { agentsApi } from '../../src/polyai/agents.ts';
import type { PolyAiApi, Scope } from '../../src/polyai/api.ts';
import { outboundCallingApi } from '../../src/polyai/outbound-calling.ts';
import { createPolyAiClient } from '../../src/polyai/polyai-client.ts';
import type { Fault } from '../../src/simulator/fault.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { leapingClock } from '../support/leaping-clock.ts';
import { silentLog } from '../support/log.ts';
import { noMetrics } from '../support/metrics.ts';
import { PROTOCOLS } from '../support/protocols.ts';
import { readCall } from '../support/read-call.ts';
import { sightingNow } from '../support/sighting.ts';

const TOKEN = 'a-token-of-some-length';
const FOREVER = [{ status: 'queued', forMs: Infinity }];

const settings: FollowSettings = {
  intervalMinMs: 2_000,
  intervalMaxMs: 5_000,
  backoffMaxMs: 60_000,
  pollTimeoutMs: 10_000,
  leaseMs: 60_000,
  notFoundGraceMs: 120_000,
  retentionMs: 1_200_000,
  maxTrackingMs: 86_400_000,
};

type HandBack = Extract<FollowResult, { kind: 'handBack' }>;

let test: OpenDatabase;
let simulator: Simulator;
let connection: Connection;
/** The calls that end, each with the number of polls after which it does. */
let ending: Map<string, number>;

beforeAll(async () => {
  test = await openTestDatabase();
});

afterAll(() => test.drop());

beforeEach(async () => {
  simulator = await startSimulator({ token: TOKEN });
  connection = connect(TOKEN);
  ending = new Map();
});

afterEach(async () => {
  await connection.client.destroy();
  await simulator.stop();
});

interface ConnectOptions {
  api?: PolyAiApi;
  scope?: Scope;
  baseUrl?: string;
  allowH2?: boolean;
}

function connect(
  token: string,
  { api = outboundCallingApi, scope = {}, baseUrl = simulator.url, allowH2 = false }: ConnectOptions = {},
): Connection {
  const timeoutMs = settings.pollTimeoutMs;
  const client = createPolyAiClient({ baseUrl, api, scope, token, timeoutMs, allowH2 });
  return { api, scope, token, pace: settings, maxRequestsPerSecond: null, client };
}

/** The same, but for so many status requests that are given up soon: those that get no answer. */
function impatientAtFirst({ client, ...connection }: Connection, requests: number): Connection {
  const { api, scope, token } = connection;
  const impatient = createPolyAiClient({ baseUrl: simulator.url, api, scope, token, timeoutMs: 300 });
  onTestFinished(() => impatient.destroy());
  let asked = 0;
  const getStatus: typeof client.getStatus = (...args) =>
    (asked++ < requests ? impatient : client).getStatus(...args);
  return { ...connection, client: { ...client, getStatus } };
}

function follower(more: Partial<FollowSettings> = {}, log: Logger = silentLog) {
  const writer = createWriter({ pool: test.pool, metrics: noMetrics, log });
  const writing = new Set<Promise<unknown>>();
  const clock = leapingClock(async () => {
    await Promise.allSettled(writing);
    endWhatIsDue();
  });
  const limit = createRateLimit({ account: 'default', max: null, exchange: null, clock, log });
  const account = createAccount({ name: 'default', connection, limit, metrics: noMetrics, clock, log });
  const archive: ReportingArchive = {
    report(report) {
      const written = writer.report(report).then(inLeapingTime);
      writing.add(written);
      written.then(() => writing.delete(written)).catch(() => {});
      return written;
    },
  };
  /** Postgres tells how long PolyAI has shown nothing, and its clock does not leap. */
  function inLeapingTime(call: FollowedCall | null): FollowedCall | null {
    const lastSeenAt = call?.state.lastSeenAt ?? null;
    if (call === null || lastSeenAt === null) return call;
    return { ...call, silentMs: Math.max(0, clock.now().getTime() - lastSeenAt.getTime()) };
  }
  const follow = createFollower({
    accounts: new Map([['default', account]]),
    archive,
    metrics: noMetrics,
    settings: { ...settings, ...more },
    clock,
    random: () => 0.5,
    log,
  });
  /** Lease after lease, as a queue would, until the call is done or `leases` are over. */
  async function followOn(callSid: string, leases = 100): Promise<FollowResult> {
    let result = await lease(callSid, null);
    for (let n = 1; result.kind === 'handBack' && n < leases; n++) result = await lease(callSid, result);
    return result;
  }

  async function lease(callSid: string, before: HandBack | null): Promise<FollowResult> {
    const since = clock.monotonic();
    const never = new AbortController().signal;
    const result = await follow(callSid, before?.handOn ?? null, never);
    // Postgres tells how old the call is, and its clock does not leap.
    await test.query(
      `update polykeep_internal.calls
          set registered_at = registered_at - $2 * interval '1 ms', reopened_at = reopened_at - $2 * interval '1 ms'
        where call_sid = $1`,
      [callSid, clock.monotonic() - since],
    );
    return result;
  }
  return { follow, followOn, clock, account };
}

async function register(callSid: string): Promise<string> {
  await createRegistrar(test.pool).register({ callSid, account: 'default', metadata: {} });
  return callSid;
}

async function read(callSid: string): Promise<Call> {
  const call = await readCall(test.pool, callSid);
  if (call === null) throw new Error(`${callSid} is not there`);
  return call;
}

/** PolyAI shows a status of some call: then it is the right PolyAI, and what it says of others counts. */
async function prove(account: Account): Promise<void> {
  await account.askStatus(simulator.place());
}

/** Between two polls, when every poll before is over. */
function endWhatIsDue(): void {
  for (const [callSid, total] of ending) {
    if (simulator.journal.total < total) continue;
    ending.delete(callSid);
    simulator.setStatus(callSid, 'success');
  }
}

/** A call that is queued for the next few polls of this test and then ends by itself. */
async function endingCall(polls = 3): Promise<string> {
  const callSid = await register(simulator.place({ script: FOREVER }));
  ending.set(callSid, simulator.journal.total + polls);
  return callSid;
}

describe('a call', () => {
  it('is polled within the interval and recorded to its end, and no longer', async () => {
    const { followOn, clock } = follower();
    const callSid = await endingCall();
    expect(await followOn(callSid)).toEqual({ kind: 'done' });
    const call = await read(callSid);
    expect(call.outcome).toBe('success');
    expect(call.transitions.map(({ status }) => status)).toEqual(['queued', 'success']);
    expect(call.transitions[1]?.changedAfter?.getTime()).toBeGreaterThan(0);
    expect(call.polls).toBe(simulator.journal.polls(callSid).length);
    // The first poll waits for nothing.
    expect(clock.sleeps).toHaveLength(call.polls - 1);
    for (const ms of clock.sleeps) {
      expect(ms).toBeGreaterThanOrEqual(settings.intervalMinMs);
      expect(ms).toBeLessThanOrEqual(settings.intervalMaxMs);
    }
  });

  it('that is settled or was never registered is not polled', async () => {
    const { followOn } = follower();
    const callSid = await endingCall(1);
    await followOn(callSid);
    const polls = simulator.journal.total;
    expect(await followOn(callSid)).toEqual({ kind: 'done' });
    expect(await followOn('never-registered')).toEqual({ kind: 'done' });
    expect(simulator.journal.total).toBe(polls);
  });

  it('is handed back when its lease ends, with its counters written and a promise that is not yet over', async () => {
    const { followOn } = follower();
    const callSid = await register(simulator.place({ script: FOREVER }));
    const result = await followOn(callSid, 1);
    expect(result).toMatchObject({ kind: 'handBack', handOn: { streak: null } });
    const call = await read(callSid);
    expect(call).toMatchObject({ status: 'queued', outcome: null, failedPolls: 0 });
    expect(call.polls).toBe(simulator.journal.total);
    expect(call.polls).toBeGreaterThan(10);
    const [promise] = await test.query(
      `select followed_until > now() as kept
         from polykeep_internal.unsettled u join polykeep_internal.calls c on c.id = u.call_id
        where call_sid = $1`,
      [callSid],
    );
    expect(promise).toEqual({ kept: true });
  });

  it('is handed back at once when its follower is told to stop', async () => {
    const { follow } = follower();
    const callSid = await register(simulator.place({ script: FOREVER }));
    const stop = new AbortController();
    stop.abort();
    expect(await follow(callSid, null, stop.signal)).toMatchObject({ kind: 'handBack' });
    expect(simulator.journal.total).toBe(0);
  });

  it('that is erased while it is followed is let go', async () => {
    const { follow } = follower();
    const callSid = await register(simulator.place({ script: FOREVER }));
    simulator.misbehave({ kind: 'delay', ms: 200 });
    const following = follow(callSid, null, new AbortController().signal);
    await expect.poll(() => simulator.journal.total).toBeGreaterThan(0);
    await test.query('delete from polykeep_internal.calls where call_sid = $1', [callSid]);
    expect(await following).toEqual({ kind: 'done' });
    expect(await readCall(test.pool, callSid)).toBeNull();
  });
});

describe('a follower', () => {
  it('that breaks off hands its call back after a while, and the next one goes on', async () => {
    const { followOn, clock } = follower();
    const callSid = await endingCall(2);
    await test.query(
      `create function refuse() returns trigger language plpgsql as
       $$ begin raise exception 'refused' using errcode = '22000'; end $$`,
    );
    await test.query(
      'create trigger refusal before insert on polykeep_internal.transitions execute function refuse()',
    );
    expect(await followOn(callSid, 1)).toEqual({
      kind: 'handBack',
      handOn: { dueInMs: 0, streak: null, changedAfter: null, sinceAskedMs: null },
    });
    expect(clock.sleeps.at(-1)).toBe(5_000);
    await test.query('drop trigger refusal on polykeep_internal.transitions');
    expect(await followOn(callSid)).toEqual({ kind: 'done' });
    expect(await read(callSid)).toMatchObject({ outcome: 'success' });
  });

  it('keeps its call for the whole lease, however late the next poll is', async () => {
    const leaseMs = 20_000;
    const { followOn, clock } = follower({ leaseMs });
    const callSid = await endingCall(2);
    simulator.misbehave({ kind: 'status', code: 503, retryAfter: '240' }, { callSid, times: 1 });
    const result = await followOn(callSid, 2);
    expect(result).toMatchObject({ kind: 'handBack' });
    expect(clock.monotonic()).toBeCloseTo(2 * leaseMs, -2);
    expect(simulator.journal.total).toBe(1);
    await followOn(callSid);
    expect(simulator.journal.polls(callSid)).toHaveLength(3);
  });

  it('of a call whose account is not configured waits for a lease, and asks nobody', async () => {
    const { followOn, clock } = follower();
    const callSid = simulator.place();
    await createRegistrar(test.pool).register({ callSid, account: 'gone', metadata: {} });
    expect(await followOn(callSid, 1)).toMatchObject({ kind: 'handBack' });
    expect(clock.monotonic()).toBe(settings.leaseMs);
    expect(simulator.journal.total).toBe(0);
  });
});

describe('a change', () => {
  const AN_HOUR_AGO = '2026-11-24T10:00:00.000Z';

  it('that a next follower sees happened after the last poll that the one before asked', async () => {
    const { follow } = follower();
    const callSid = await register(simulator.place({ script: FOREVER }));
    const never = new AbortController().signal;
    const result = await follow(callSid, null, never);
    if (result.kind !== 'handBack') throw new Error('not handed back');
    simulator.setStatus(callSid, 'success');
    await follow(callSid, { ...result.handOn, changedAfter: AN_HOUR_AGO }, never);
    const [, change] = (await read(callSid)).transitions;
    expect(change).toMatchObject({ status: 'success', changedAfter: new Date(AN_HOUR_AGO) });
  });

  it('that is seen without a word of the one before happened after its last answer, less a time-out', async () => {
    const { follow } = follower();
    const callSid = await register(simulator.place({ script: FOREVER }));
    const never = new AbortController().signal;
    await follow(callSid, null, never);
    const { lastSeenAt } = await read(callSid);
    simulator.setStatus(callSid, 'success');
    await follow(callSid, null, never);
    const [, change] = (await read(callSid)).transitions;
    expect(change?.changedAfter?.getTime()).toBe((lastSeenAt?.getTime() ?? 0) - settings.pollTimeoutMs);
  });
});

describe('an answer in a form that nobody asked for', () => {
  const forms: [string, (callSid: string) => Fault][] = [
    ['compressed', () => ({ kind: 'gzip' })],
    ['after 100 Continue and 103 Early Hints', () => ({ kind: 'interim' })],
    ['behind a byte order mark', () => ({ kind: 'no-status', body: '\uFEFF{"status":"calling"}' })],
    [
      'with the callSid in another case',
      (callSid) => ({
        kind: 'no-status',
        body: JSON.stringify({ callSid: callSid.toUpperCase(), status: 'calling' }),
      }),
    ],
  ];

  it.each(forms)('%s is read all the same', async (_, faultOf) => {
    const { followOn } = follower();
    const callSid = await register(simulator.place({ script: [{ status: 'calling', forMs: Infinity }] }));
    const repair = simulator.misbehave(faultOf(callSid), { callSid });
    await followOn(callSid, 1);
    expect(await read(callSid)).toMatchObject({ status: 'calling', failedPolls: 0 });
    repair();
    simulator.setStatus(callSid, 'success');
    await followOn(callSid);
    expect(await read(callSid)).toMatchObject({ outcome: 'success', failedPolls: 0 });
  });

  it('with a time of the year 9999 keeps no later status out', async () => {
    const { followOn } = follower();
    const callSid = await register(simulator.place({ script: FOREVER }));
    const body = JSON.stringify({ status: 'queued', last_updated: '9999-12-31T23:59:59Z' });
    simulator.misbehave({ kind: 'no-status', body }, { callSid, times: 1 });
    await followOn(callSid, 1);
    simulator.setStatus(callSid, 'calling');
    await followOn(callSid, 1);
    simulator.setStatus(callSid, 'success');
    await followOn(callSid);
    const statuses = (await read(callSid)).transitions.map(({ status }) => status);
    expect(statuses).toEqual(['queued', 'calling', 'success']);
  });

  it('that flips between a known and an unknown status at each poll makes so many transitions and no more', async () => {
    const { followOn } = follower();
    const callSid = await register(simulator.place({ script: [{ status: 'calling', forMs: Infinity }] }));
    simulator.misbehave({ kind: 'no-status', body: '{"status":"warming-up"}' }, { callSid, share: 0.5 });
    await followOn(callSid, 30);
    const { transitions, polls } = await read(callSid);
    expect(polls).toBeGreaterThan(400);
    expect(transitions.length).toBe(MAX_TRANSITIONS);
    simulator.setStatus(callSid, 'success');
    await followOn(callSid);
    expect(await read(callSid)).toMatchObject({ outcome: 'success', status: 'success' });
  });
});

const scope = { agentId: 'agent-1', environment: 'live' };
const overAgents = { api: agentsApi, scope };
const flavours: [string, () => Promise<void>][] = [
  [
    'the Agents API',
    async () => {
      connection = connect(TOKEN, overAgents);
    },
  ],
  ...PROTOCOLS.map(({ name, tls, allowH2 }): [string, () => Promise<void>] => [
    `the Outbound Calling API over ${name}`,
    async () => {
      await simulator.stop();
      simulator = await startSimulator({ token: TOKEN, tls });
      connection = connect(TOKEN, { allowH2 });
    },
  ]),
];

describe.each(flavours)('an answer of %s that is no status', (_, use) => {
  beforeEach(use);

  const faults: Fault[] = [
    { kind: 'status', code: 500 },
    { kind: 'status', code: 408 },
    { kind: 'status', code: 425 },
    { kind: 'status', code: 429, retryAfter: '20' },
    { kind: 'status', code: 503, retryAfter: new Date(Date.now() + 20_000).toUTCString() },
    { kind: 'status', code: 418, body: '<p>teapot' },
    { kind: 'status', code: 502, body: '' },
    { kind: 'status', code: 504, body: 'x'.repeat(70_000) },
    { kind: 'hang' },
    { kind: 'slow-drip', everyMs: 100 },
    { kind: 'reset' },
    { kind: 'cut' },
    { kind: 'html' },
    { kind: 'half-json' },
    { kind: 'no-status' },
    { kind: 'no-status', body: '{"status":7}' },
    { kind: 'no-status', body: '["success"]' },
    { kind: 'no-status', body: 'null' },
    { kind: 'wrong-call-sid' },
    { kind: 'huge' },
    { kind: 'redirect' },
  ];

  it.each(faults.map((fault) => [JSON.stringify(fault), fault] as const))(
    '%s is a failed poll: nothing is stored, and the call is followed on',
    async (_, fault) => {
      connection = impatientAtFirst(connection, 3);
      const { followOn } = follower();
      const callSid = await endingCall(5);
      simulator.misbehave(fault, { callSid, times: 3 });
      expect(await followOn(callSid)).toEqual({ kind: 'done' });
      const call = await read(callSid);
      expect(call).toMatchObject({ outcome: 'success', failedPolls: 3, lastError: null });
      expect(call.transitions.map(({ status }) => status)).toEqual(['queued', 'success']);
    },
  );

  it('is waited out as Retry-After asks', async () => {
    const { followOn, clock } = follower();
    const callSid = await endingCall(2);
    simulator.misbehave({ kind: 'status', code: 429, retryAfter: '20' }, { callSid, times: 1 });
    await followOn(callSid);
    expect(clock.sleeps[0]).toBeGreaterThanOrEqual(20_000);
    expect(clock.sleeps[0]).toBeLessThanOrEqual(21_000);
  });

  it('backs off ever longer, also over leases, and leaves what happened last in last_error', async () => {
    const { followOn } = follower();
    const callSid = await register(simulator.place({ script: FOREVER }));
    const body = '{"error":"out of order","error_message":"out of order","code":"E1"}';
    simulator.misbehave({ kind: 'status', code: 500, body });
    expect(await followOn(callSid, 20)).toMatchObject({
      kind: 'handBack',
      handOn: { streak: { code: 'unavailable' } },
    });
    const call = await read(callSid);
    expect(call).toMatchObject({ status: null, outcome: null, lastError: 'HTTP 500: out of order' });
    // Twenty leases of a minute: at the steady interval that would be hundreds of polls.
    expect(call.polls).toBeLessThan(100);
    expect(call.failedPolls).toBe(call.polls);
  });

  it('never repeats the token, whoever sends it back', async () => {
    const { followOn } = follower();
    const callSid = await register(simulator.place());
    simulator.misbehave({ kind: 'status', code: 400, body: JSON.stringify({ error: `bad token ${TOKEN}` }) });
    await followOn(callSid, 1);
    expect((await read(callSid)).lastError).toBe('HTTP 400: bad token [token]');
  });
});

describe('a stale read', () => {
  it('is not stored', async () => {
    const { followOn } = follower();
    const script = [
      { status: 'queued', forMs: 0 },
      { status: 'calling', forMs: Infinity },
    ];
    const callSid = await register(simulator.place({ script, style: 'mid-2026' }));
    simulator.misbehave({ kind: 'stale' }, { share: 0.5 });
    await followOn(callSid, 2);
    simulator.setStatus(callSid, 'failure', 'no answer');
    await followOn(callSid);
    const statuses = (await read(callSid)).transitions.map(({ status }) => status);
    expect(['queued,calling,failure', 'calling,failure']).toContain(statuses.join());
  });

  it('is no sign of life, however often it comes', async () => {
    const { followOn } = follower();
    const script = [
      { status: 'queued', forMs: 0 },
      { status: 'calling', forMs: Infinity },
    ];
    const callSid = await register(simulator.place({ script, style: 'mid-2026' }));
    simulator.misbehave({ kind: 'stale' }, { callSid });
    // The later one strikes first: four honest answers.
    simulator.misbehave({ kind: 'gzip' }, { callSid, times: 4 });
    await followOn(callSid, 1);
    const { status, polls, firstSeenAt, lastSeenAt } = await read(callSid);
    expect(status).toBe('calling');
    expect(polls).toBeGreaterThan(6);
    const seenFor = (lastSeenAt?.getTime() ?? 0) - (firstSeenAt?.getTime() ?? 0);
    expect(seenFor).toBeGreaterThan(0);
    expect(seenFor).toBeLessThanOrEqual(3 * settings.intervalMaxMs);
  });
});

describe('a call that PolyAI does not know', () => {
  it('is not_found, once the grace is over', async () => {
    const { followOn, clock, account } = follower();
    await prove(account);
    const since = performance.now();
    const callSid = await register('unknown-to-polyai');
    expect(await followOn(callSid)).toEqual({ kind: 'done' });
    // Postgres' clock has gone on meanwhile.
    expect(clock.monotonic() + performance.now() - since).toBeGreaterThanOrEqual(settings.notFoundGraceMs);
    const call = await read(callSid);
    expect(call).toMatchObject({ status: null, outcome: 'not_found', lastError: 'HTTP 404: Call not found' });
    expect(call.settledAt).not.toBeNull();
    expect(call.transitions).toEqual([]);
  });

  it('and then does is followed as any other', async () => {
    const { followOn, account } = follower();
    await prove(account);
    const callSid = await endingCall(6);
    simulator.misbehave({ kind: 'status', code: 404 }, { callSid, times: 4 });
    await followOn(callSid);
    expect(await read(callSid)).toMatchObject({ outcome: 'success', failedPolls: 4 });
  });

  it('and refuses is rejected, with its message, once the grace is over', async () => {
    const { followOn, clock, account } = follower();
    await prove(account);
    const callSid = await register('not-a-sid');
    simulator.misbehave({ kind: 'status', code: 400 }, { callSid });
    await followOn(callSid);
    expect(clock.monotonic()).toBeGreaterThanOrEqual(settings.notFoundGraceMs);
    expect(await read(callSid)).toMatchObject({
      outcome: 'rejected',
      lastError: 'HTTP 400: Invalid call SID format',
    });
  });

  it('and that it knows after all is followed again when it is registered again', async () => {
    const { followOn, account } = follower();
    await prove(account);
    const callSid = await register('known-at-last');
    await followOn(callSid);
    expect(await read(callSid)).toMatchObject({ outcome: 'not_found' });
    simulator.place({ callSid, script: [{ status: 'success', forMs: 0 }] });
    await register(callSid);
    expect(await read(callSid)).toMatchObject({ outcome: null, settledAt: null });
    await followOn(callSid);
    expect(await read(callSid)).toMatchObject({ outcome: 'success', transitions: [{ status: 'success' }] });
  });
});

/** A minute of 404, as from PolyAI or from what stands before it, in the words of each. */
const MINUTES_OF_404: Fault[] = [
  { kind: 'status', code: 404 },
  { kind: 'status', code: 404, body: '<html><h1>404 Not Found</h1><hr>nginx</html>' },
  { kind: 'status', code: 400 },
  { kind: 'status', code: 400, body: 'Bad Request' },
];

describe.each(MINUTES_OF_404)('a minute of $code ($body)', (fault) => {
  it('costs no call that was seen before', async () => {
    const { followOn } = follower();
    const callSid = await register(simulator.place({ script: FOREVER }));
    await followOn(callSid, 1);
    const repair = simulator.misbehave(fault);
    await followOn(callSid, 1);
    expect((await read(callSid)).failedPolls).toBeGreaterThanOrEqual(5);
    repair();
    simulator.setStatus(callSid, 'success');
    await followOn(callSid);
    const call = await read(callSid);
    expect(call.outcome).toBe('success');
    expect(call.transitions.map(({ status }) => status)).toEqual(['queued', 'success']);
  });

  it('costs no call that is new', async () => {
    const { followOn, account } = follower();
    await prove(account);
    const callSid = await register(simulator.place({ script: FOREVER }));
    const repair = simulator.misbehave(fault);
    await followOn(callSid, 1);
    expect(await read(callSid)).toMatchObject({ status: null, outcome: null });
    repair();
    simulator.setStatus(callSid, 'success');
    await followOn(callSid);
    expect(await read(callSid)).toMatchObject({ outcome: 'success' });
  });
});

it('what a gateway says of a call concludes nothing, for as long as it says it', async () => {
  const { followOn, account } = follower();
  await prove(account);
  const [seen, unseen] = [await register(simulator.place({ script: FOREVER })), await register('unseen')];
  await followOn(seen, 1);
  simulator.misbehave({ kind: 'status', code: 404, body: '<h1>Not Found</h1>' });
  for (const callSid of [seen, unseen]) {
    await followOn(callSid, 30);
    expect(await read(callSid)).toMatchObject({ outcome: null, lastError: 'HTTP 404' });
  }
});

describe('a call that PolyAI knows no longer', () => {
  it.each([404, 400])('by %i is lost, once PolyAI can have forgotten it, and not before', async (code) => {
    const { followOn, clock } = follower();
    const callSid = await register(simulator.place({ script: FOREVER }));
    await followOn(callSid, 1);
    simulator.misbehave({ kind: 'status', code }, { callSid });
    const before = clock.monotonic();
    expect(await followOn(callSid, 1_000)).toEqual({ kind: 'done' });
    const silentMs = clock.now().getTime() - ((await read(callSid)).lastSeenAt?.getTime() ?? 0);
    expect(silentMs).toBeGreaterThanOrEqual(settings.retentionMs);
    expect(clock.monotonic() - before).toBeLessThan(settings.retentionMs + 2 * settings.backoffMaxMs);
    const call = await read(callSid);
    expect(call).toMatchObject({ status: 'queued', outcome: 'lost' });
    expect(call.transitions.map(({ status }) => status)).toEqual(['queued']);
    // Ever more seldom: once in POLL_BACKOFF_MAX_MS in the end.
    expect(call.failedPolls).toBeLessThan(150);
  });

  it('keeps when PolyAI last knew it', async () => {
    const { followOn, clock } = follower({ retentionMs: 600_000 });
    const callSid = await register(simulator.place({ script: FOREVER }));
    const deniedAfter = 5;
    const denied = expect
      .poll(() => simulator.journal.count(callSid), { interval: 1 })
      .toBeGreaterThanOrEqual(deniedAfter)
      .then(() => simulator.forget(callSid));
    expect(await followOn(callSid)).toEqual({ kind: 'done' });
    await denied;
    const { outcome, polls, failedPolls, firstSeenAt, lastSeenAt } = await read(callSid);
    expect(outcome).toBe('lost');
    const seenFor = (lastSeenAt?.getTime() ?? 0) - (firstSeenAt?.getTime() ?? 0);
    expect(seenFor).toBeGreaterThanOrEqual((polls - failedPolls - 1) * settings.intervalMinMs);
    expect(clock.now().getTime()).toBeGreaterThan(lastSeenAt?.getTime() ?? 0);
  });

  it('and is shown after all is followed again: that is a transition, whatever the status', async () => {
    const { followOn } = follower({ retentionMs: 0 });
    const callSid = await register(simulator.place({ script: FOREVER }));
    await followOn(callSid, 1);
    const repair = simulator.misbehave({ kind: 'status', code: 404 }, { callSid });
    expect(await followOn(callSid)).toEqual({ kind: 'done' });
    expect(await read(callSid)).toMatchObject({ outcome: 'lost' });
    repair();
    // As from another follower, which had it at the same time, or from who asks by the drop-in.
    await createWriter({ pool: test.pool, metrics: noMetrics, log: silentLog }).report({
      callSid,
      sighting: sightingNow('queued'),
    });
    const call = await read(callSid);
    expect(call).toMatchObject({ status: 'queued', outcome: null, settledAt: null });
    expect(call.transitions.map(({ status }) => status)).toEqual(['queued', 'queued']);
    simulator.setStatus(callSid, 'success');
    await followOn(callSid);
    expect(await read(callSid)).toMatchObject({ outcome: 'success' });
  });
});

describe('an account that has shown no status', () => {
  function logged() {
    const lines: { msg: string; level: number; account?: string }[] = [];
    const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
    return {
      log,
      warnings: () => lines.filter(({ level, account }) => level >= 40 && account !== undefined),
    };
  }

  it('is unproven, concludes nothing, and says so once, until PolyAI must have forgotten its calls', async () => {
    const { log, warnings } = logged();
    const { followOn, account, clock } = follower({}, log);
    const callSid = await register('of-another-region');
    await followOn(callSid, 10);
    expect(clock.monotonic()).toBeGreaterThan(4 * settings.notFoundGraceMs);
    expect(await read(callSid)).toMatchObject({ status: null, outcome: null });
    expect(account).toMatchObject({ condition: 'unproven', health: { state: 'unproven', isProven: false } });
    expect(warnings().map(({ msg }) => msg)).toEqual([
      'PolyAI knows none of the account’s calls: are its URL, region and token right?',
    ]);
    await followOn(callSid, 1_000);
    expect(clock.monotonic()).toBeGreaterThanOrEqual(settings.retentionMs);
    expect(clock.monotonic()).toBeLessThan(settings.retentionMs + 2 * settings.backoffMaxMs);
    expect(await read(callSid)).toMatchObject({ outcome: 'not_found' });
  });

  it('is proven by the first status, and then concludes as any other', async () => {
    const { followOn, account, clock } = follower();
    const callSid = await register('unknown');
    await followOn(callSid, 5);
    expect(account.condition).toBe('unproven');
    await prove(account);
    expect(account).toMatchObject({ condition: 'ok', health: { isProven: true } });
    expect(await followOn(callSid)).toEqual({ kind: 'done' });
    expect(clock.monotonic()).toBeLessThan(settings.retentionMs / 2);
    expect(await read(callSid)).toMatchObject({ outcome: 'not_found' });
  });

  it('begins anew where it is configured to be elsewhere, and not where its pace alone is another', async () => {
    const { account } = follower();
    await prove(account);
    account.reconnect(connection, false);
    expect(account.health.isProven).toBe(true);
    account.reconnect(connection, true);
    expect(account.health.isProven).toBe(false);
  });
});

describe('an account whose seen calls are all denied at once, in JSON like PolyAI’s', () => {
  const NO_ROUTE = {
    kind: 'status',
    code: 404,
    body: '{"message":"no Route matched with those values"}',
  } as const;

  it('is failing, and concludes nothing of calls never seen until it shows a status again', async () => {
    const { followOn, account, clock } = follower();
    const seen = await Promise.all(
      [1, 2].map(async () => await register(simulator.place({ script: FOREVER }))),
    );
    for (const callSid of seen) await followOn(callSid, 1);
    const repair = simulator.misbehave(NO_ROUTE);
    for (const callSid of seen) await followOn(callSid, 1);
    expect(account.condition).toBe('failing: PolyAI denies calls that it has shown');
    const placed = await register(simulator.place({ script: FOREVER }));
    await followOn(placed, 10);
    expect(clock.monotonic()).toBeGreaterThan(4 * settings.notFoundGraceMs);
    expect(await read(placed)).toMatchObject({
      status: null,
      outcome: null,
      lastError: expect.stringContaining('no Route'),
    });
    repair();
    await followOn(seen[0] ?? '', 1);
    expect(account.condition).toBe('ok');
    simulator.setStatus(placed, 'success');
    expect(await followOn(placed)).toEqual({ kind: 'done' });
    expect(await read(placed)).toMatchObject({ outcome: 'success' });
  });
});

it('a call without an end is abandoned after MAX_TRACKING_MS', async () => {
  const { followOn, clock } = follower({ maxTrackingMs: 600_000 });
  const since = performance.now();
  const callSid = await register(simulator.place({ script: FOREVER }));
  await followOn(callSid);
  // Postgres' clock has gone on meanwhile.
  expect(clock.monotonic() + performance.now() - since).toBeGreaterThanOrEqual(600_000);
  expect(await read(callSid)).toMatchObject({ status: 'queued', outcome: 'abandoned' });
});

describe('a refused token', () => {
  it.each<Fault>([
    { kind: 'status', code: 401 },
    { kind: 'status', code: 403 },
  ])('($code) pauses the account: its calls wait, one probe in 30 s, and nothing settles', async (fault) => {
    const { followOn, clock, account } = follower({ maxTrackingMs: 600_000 });
    const callSid = await register(simulator.place({ script: FOREVER }));
    const repair = simulator.misbehave(fault);
    await followOn(callSid, 20);
    expect(account.paused).toBe(true);
    expect(clock.monotonic()).toBeGreaterThan(600_000);
    const waited = clock.monotonic() / 30_000;
    // Of one call alone, for 10 s it may be the call that is refused.
    expect(simulator.journal.total).toBeLessThanOrEqual(waited + 6);
    expect(simulator.journal.total).toBeGreaterThan(10);
    expect(await read(callSid)).toMatchObject({ status: null, outcome: null });

    repair();
    simulator.setStatus(callSid, 'success');
    await followOn(callSid);
    expect(account.paused).toBe(false);
    expect((await read(callSid)).outcome).toBe('success');
  });
});

describe('over the Agents API', () => {
  beforeEach(() => {
    connection = connect(TOKEN, overAgents);
  });

  it('a call is followed from capitals to its outcome', async () => {
    const { followOn } = follower();
    const callSid = await endingCall();
    await followOn(callSid);
    const call = await read(callSid);
    expect(call).toMatchObject({ status: 'success', outcome: 'success', failedPolls: 0 });
    expect(call.transitions.map(({ status }) => status)).toEqual(['queued', 'success']);
    expect(simulator.journal.shownStatuses(callSid)).toEqual(['QUEUED', 'SUCCESS']);
  });

  it('an error leaves the message of its envelope in last_error', async () => {
    const { followOn } = follower();
    const callSid = await register('unknown-to-the-agents-api');
    await followOn(callSid, 1_000);
    expect(await read(callSid)).toMatchObject({
      outcome: 'not_found',
      lastError: expect.stringMatching(/^HTTP 404: \w+/),
    });
  });
});
