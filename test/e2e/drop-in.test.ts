import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import type { Step } from '../../src/simulator/life.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type Sidecar, startSidecar } from '../../src/wiring/sidecar.ts';
import { client } from '../support/client.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { silentLog as log } from '../support/log.ts';
import { FAST } from '../support/sidecar.ts';
import { type TcpProxy, tcpProxy } from '../support/tcp-proxy.ts';

const TOKEN = 'a-token-of-some-length';
const AGENT_TOKEN = 'an-agent-token-of-some-length';
const AGENT = { agentId: 'agent-1', environment: 'live' };
const LIFE: Step[] = [
  { status: 'queued', forMs: 300 },
  { status: 'calling', forMs: 500 },
  { status: 'failure', reason: 'no answer', forMs: 0 },
];
const ONGOING: Step[] = [{ status: 'calling', forMs: Infinity }];

let folder: string;
let polyai: Simulator;
let agents: Simulator;
let database: TestDatabase;
let postgres: TcpProxy;
let sidecar: Sidecar;
let environment: Record<string, string>;
let url: string;
let polykeep: ReturnType<typeof client>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'polykeep-drop-in-'));
  polyai = await startSimulator({ token: TOKEN, placed: () => ({ script: LIFE }) });
  agents = await startSimulator({ token: AGENT_TOKEN, placed: () => ({ script: LIFE }) });
  database = await createDatabase();
  postgres = await tcpProxy(database.url);
  const accounts = [
    { name: 'default', token: TOKEN, baseUrl: polyai.url },
    { name: 'agent', api: 'agents', token: AGENT_TOKEN, baseUrl: agents.url, ...AGENT },
  ];
  await writeFile(join(folder, 'accounts.json'), JSON.stringify({ accounts }));
  await start();
});

async function start(keys?: string): Promise<void> {
  const { POLYAI_AUTH_TOKEN: _, ...fast } = FAST;
  environment = {
    ...fast,
    ACCOUNTS_FILE: join(folder, 'accounts.json'),
    DATABASE_URL: postgres.url,
    ...(keys === undefined ? {} : { API_KEYS: keys }),
  };
  sidecar = await startSidecar({
    config: readConfig('serve', environment),
    role: 'serve',
    log,
    redisPrefix: `test-${randomUUID()}`,
  });
  url = sidecar.url ?? '';
  polykeep = client(url);
}

afterEach(async () => {
  await sidecar.stop();
  await Promise.all([polyai.stop(), agents.stop(), postgres.close()]);
  await database.drop();
  await rm(folder, { recursive: true });
});

interface Ask {
  method?: 'GET' | 'POST';
  headers?: Record<string, string>;
  body?: string;
  at?: string;
}

async function ask(path: string, { method = 'GET', headers = {}, body, at = url }: Ask = {}) {
  const response = await request(at + path, { method, headers, ...(body === undefined ? {} : { body }) });
  return { status: response.statusCode, headers: response.headers, text: await response.body.text() };
}

const withToken = { 'x-polyai-auth-token': TOKEN };
const withKey = { 'x-api-key': AGENT_TOKEN };
const statusPath = (callSid: string) => `/v1/outbound-calling/${callSid}/status`;
const agentCalls = `/v1/agents/${AGENT.agentId}/telephony/outbound-calls`;
const json = { 'content-type': 'application/json' };
const settled = (callSid: string, outcome = 'failure') =>
  expect.poll(async () => (await polykeep.call(callSid)).outcome).toBe(outcome);

describe('a status request', () => {
  it.each(['march-2026', 'mid-2026'] as const)(
    'for a known call gets the very body of %s that PolyAI gave, also when PolyAI has forgotten it',
    async (style) => {
      const callSid = polyai.place({ script: LIFE, style });
      await polykeep.register(callSid);
      await settled(callSid);
      const fromPolyAi = await ask(statusPath(callSid), { at: polyai.url, headers: withToken });
      polyai.forget(callSid);
      expect((await ask(statusPath(callSid), { at: polyai.url, headers: withToken })).status).toBe(404);

      const asked = polyai.journal.total;
      const kept = await ask(statusPath(callSid), { headers: withToken });
      expect(kept).toMatchObject({ status: 200, text: fromPolyAi.text });
      expect(kept.headers['content-type']).toBe(fromPolyAi.headers['content-type']);
      expect(polyai.journal.total).toBe(asked);
      const { lastSeenAt } = await polykeep.call(callSid);
      expect(kept.headers['x-polykeep-observed-at']).toBe(lastSeenAt);
      const seconds = (Date.now() - Date.parse(`${lastSeenAt}`)) / 1_000;
      expect(Number(kept.headers.age)).toBeGreaterThanOrEqual(0);
      expect(Number(kept.headers.age)).toBeLessThanOrEqual(seconds);
    },
  );

  it('for an unknown call is asked of PolyAI, and the call is followed from then on', async () => {
    const callSid = polyai.place({ script: ONGOING });
    const first = await ask(statusPath(callSid), { headers: withToken });
    expect(first.status).toBe(200);
    expect(first.text).toBe((await ask(statusPath(callSid), { at: polyai.url, headers: withToken })).text);
    polyai.setStatus(callSid, 'failure', 'no answer');
    await settled(callSid);
  });

  it('keeps the end that it was told of an unknown call, though PolyAI forgets it in that moment', async () => {
    const callSid = polyai.place({ script: LIFE.slice(2) });
    polyai.misbehave({ kind: 'status', code: 500 }, { callSid });
    const stop = polyai.misbehave({ kind: 'delay', ms: 1 }, { callSid, times: 1 });
    const told = await ask(statusPath(callSid), { headers: withToken });
    stop();
    expect(told.status).toBe(200);
    await settled(callSid);
    expect((await polykeep.call(callSid)).transitions).toHaveLength(1);
  });

  it('for a call that PolyAI does not know gets its answer, and nothing is registered', async () => {
    const here = await ask(statusPath('OUT-nowhere'), { headers: withToken });
    const there = await ask(statusPath('OUT-nowhere'), { headers: withToken, at: polyai.url });
    expect(here).toMatchObject({ status: 404, text: there.text });
    expect(await database.query('select from polykeep.calls')).toHaveLength(0);
  });

  it('for what can be no callSid is refused in PolyAI’s envelope, and asked of nobody', async () => {
    for (const callSid of ['%00', 'x'.repeat(201), 'a%2Fb', 'a%20b']) {
      const answer = await ask(statusPath(callSid), { headers: withToken });
      expect(answer.status).toBe(400);
      expect(JSON.parse(answer.text)).toMatchObject({ error: expect.stringMatching(/^callSid: /) });
    }
    expect(polyai.journal.total).toBe(0);
  });

  it('gets the error, and the Retry-After, that PolyAI gives', async () => {
    polyai.misbehave({ kind: 'status', code: 503, retryAfter: '7', body: '<h1>busy</h1>' });
    const answer = await ask(statusPath('OUT-1'), { headers: withToken });
    expect(answer).toMatchObject({ status: 503, text: '<h1>busy</h1>', headers: { 'retry-after': '7' } });
    polyai.misbehave({ kind: 'reset' });
    const cut = await ask(statusPath('OUT-1'), { headers: withToken });
    expect(cut.status).toBe(502);
    expect(JSON.parse(cut.text)).toMatchObject({ error: expect.stringContaining('PolyAI did not answer') });
  });

  it.each([
    ['no token', {}],
    ['another token', { 'x-polyai-auth-token': 'another' }],
    ['the token of another API', { 'x-polyai-auth-token': AGENT_TOKEN }],
  ])('with %s is refused in PolyAI’s envelope, and asked of nobody', async (_, headers) => {
    const callSid = polyai.place({ script: ONGOING });
    await polykeep.register(callSid);
    const answer = await ask(statusPath(callSid), { headers });
    expect(answer.status).toBe(401);
    expect(JSON.parse(answer.text)).toEqual({ error: 'Invalid or missing token', code: 'unauthorized' });
  });

  it('of the Agents API works alike, for the agent and environment that are configured', async () => {
    const callSid = agents.place({ script: LIFE, style: 'agents' });
    const path = `${agentCalls}/${callSid}/status?environment=live`;
    expect((await ask(path, { headers: withKey })).status).toBe(200);
    await settled(callSid);
    const there = await ask(path, { headers: withKey, at: agents.url });
    agents.forget(callSid);
    const kept = await ask(path, { headers: withKey });
    expect(kept).toMatchObject({ status: 200, text: there.text });
    expect(JSON.parse(kept.text)).toEqual({ callSid, status: 'FAILURE', reason: 'no answer' });
    expect(await polykeep.call(callSid)).toMatchObject({ account: 'agent', status: 'failure' });

    const elsewhere = await ask(path.replace('live', 'sandbox'), { headers: withKey });
    expect(elsewhere.status).toBe(403);
    expect(JSON.parse(elsewhere.text)).toMatchObject({
      success: false,
      error_code: 'account_not_configured',
    });
    expect((await ask(path)).status).toBe(401);
  });

  it('is asked of PolyAI while Postgres is away, and kept when it is back', async () => {
    const callSid = polyai.place({ script: LIFE.slice(2) });
    await postgres.cut();
    const told = await ask(statusPath(callSid), { headers: withToken });
    expect(told.status).toBe(200);
    polyai.forget(callSid);
    await postgres.mend();
    await settled(callSid);
  });
});

describe('a caller with an API key', () => {
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
  const READ = 'the-key-that-may-read';
  const WRITE = 'the-key-that-may-write';

  it('needs no PolyAI token; one that may only read places no call', async () => {
    await sidecar.stop();
    await start(`bi:read:${READ},web:write:${WRITE}`);
    const body = '{"to_number":"+15551234567"}';
    const trigger = (headers: Record<string, string>) =>
      ask('/v1/outbound-calling', { method: 'POST', headers, body });
    expect((await trigger(bearer(READ))).status).toBe(403);
    expect((await trigger(bearer('the-key-that-is-none'))).status).toBe(401);
    const placed = await trigger(bearer(WRITE));
    expect(placed.status).toBe(200);
    expect(polyai.triggers.map(({ headers }) => headers.authorization)).toEqual([undefined]);
    const path = statusPath(JSON.parse(placed.text).call_sid);
    expect((await ask(path, { headers: bearer(READ) })).status).toBe(200);
    expect((await ask(path, { headers: withToken })).status).toBe(200);
    expect((await ask(path)).status).toBe(401);
    expect((await ask('/v1/calls')).status).toBe(401);
    expect((await ask('/health/ready')).status).toBe(200);
  });
});

describe('a trigger', () => {
  const body = '{ "to_number":"+15551234567",\n "metadata": {"campaign": "spring", "n": 3} }';

  it.each([
    ['/v1/outbound-calling', 'call_sid'],
    ['/v1/outbound-calling/trigger', 'callSid'],
  ])(
    '%s is passed on byte by byte, answered with PolyAI’s answer, and its call followed',
    async (path, key) => {
      const answer = await ask(path, { method: 'POST', headers: { ...withToken, ...json }, body });
      expect(answer.status).toBe(200);
      const callSid: string = JSON.parse(answer.text)[key];
      expect(polyai.triggers).toMatchObject([{ path, body, callSid }]);
      expect(polyai.triggers[0]?.headers).toMatchObject({ ...withToken, 'content-type': 'application/json' });
      expect((await polykeep.call(callSid)).metadata).toEqual({});
      await settled(callSid);
    },
  );

  it('has its metadata kept with the call where that is asked for', async () => {
    const headers = { ...withToken, 'x-polykeep-metadata': 'true' };
    const answer = await ask('/v1/outbound-calling', { method: 'POST', headers, body });
    const { call_sid: callSid } = JSON.parse(answer.text);
    expect((await polykeep.call(callSid)).metadata).toEqual({ campaign: 'spring', n: '3' });

    const unclear = { ...withToken, 'x-polykeep-metadata': 'campaign' };
    expect((await ask('/v1/outbound-calling', { method: 'POST', headers: unclear, body })).status).toBe(400);
    expect(polyai.triggers).toHaveLength(1);
  });

  it('of the Agents API is for the environment in its body', async () => {
    const live = JSON.stringify({ toNumber: '+15551234567', environment: 'live' });
    const answer = await ask(agentCalls, { method: 'POST', headers: { ...withKey, ...json }, body: live });
    const { callSid, status } = JSON.parse(answer.text);
    expect(status).toBe('QUEUED');
    await settled(callSid);
    for (const other of ['"sandbox"', '{"toString":false}']) {
      const body = live.replace('"live"', other);
      const refused = await ask(agentCalls, { method: 'POST', headers: { ...withKey, ...json }, body });
      expect(refused.status).toBe(403);
    }
    expect(agents.triggers).toHaveLength(1);
  });

  it('that PolyAI refuses gets its answer, and no call is registered', async () => {
    const answer = await ask('/v1/outbound-calling', { method: 'POST', headers: withToken, body: '{}' });
    const there = await ask('/v1/outbound-calling', {
      method: 'POST',
      headers: withToken,
      body: '{}',
      at: polyai.url,
    });
    expect(answer).toMatchObject({ status: 400, text: there.text });
    expect((await ask('/v1/outbound-calling', { method: 'POST', body })).status).toBe(401);
    expect(await database.query('select from polykeep.calls')).toHaveLength(0);
  });

  it.each([
    [{ kind: 'reset' } as const, 0],
    [{ kind: 'placed-then-cut' } as const, 1],
  ])('that breaks off (%j) is never tried again', async (fault, placed) => {
    polyai.misbehaveTriggers(fault);
    const answer = await ask('/v1/outbound-calling', { method: 'POST', headers: withToken, body });
    expect(answer.status).toBe(504);
    expect(JSON.parse(answer.text).error).toMatch(/not known whether the call was placed/);
    expect(polyai.triggers).toHaveLength(1);
    expect(polyai.calls.size).toBe(placed);
  });

  it('goes on with what tells how to read it, and comes back in PolyAI’s envelope where it cannot be read', async () => {
    const headers = { ...withToken, 'content-type': 'application/json', 'content-encoding': 'identity' };
    await ask('/v1/outbound-calling', { method: 'POST', headers, body });
    expect(polyai.triggers[0]?.headers['content-encoding']).toBe('identity');
    const unreadable = await ask('/v1/outbound-calling', {
      method: 'POST',
      headers: withToken,
      body: 'x'.repeat(1_100_000),
    });
    expect(unreadable.status).toBe(413);
    expect(Object.keys(JSON.parse(unreadable.text))).toEqual(['error', 'code']);
    expect(polyai.triggers).toHaveLength(1);
  });

  it('under way is finished when the configuration is read again', async () => {
    polyai.misbehaveTriggers({ kind: 'delay', ms: 700 });
    const placing = ask('/v1/outbound-calling', { method: 'POST', headers: withToken, body });
    await expect.poll(() => polyai.triggers.length).toBe(1);
    const accounts = [{ name: 'default', token: TOKEN, baseUrl: polyai.url, maxRequestsPerSecond: 900 }];
    await writeFile(join(folder, 'accounts.json'), JSON.stringify({ accounts }));
    sidecar.reload(readConfig('serve', environment));
    const answer = await placing;
    expect(answer.status).toBe(200);
    await settled(JSON.parse(answer.text).call_sid);
  });

  it('under way at the end is answered, and its call registered', async () => {
    polyai.misbehaveTriggers({ kind: 'delay', ms: 1_500 });
    const placing = ask('/v1/outbound-calling', { method: 'POST', headers: withToken, body });
    await expect.poll(() => polyai.triggers.length).toBe(1);
    await sidecar.stop();
    const answer = await placing;
    expect(answer.status).toBe(200);
    expect(await database.query('select call_sid from polykeep.calls')).toEqual([JSON.parse(answer.text)]);
  });

  it('that reaches nobody placed no call, and says so', async () => {
    await polyai.stop();
    const answer = await ask('/v1/outbound-calling', { method: 'POST', headers: withToken, body });
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.text).error).toMatch(/^the call was not placed: ECONNREFUSED/);
  });

  it('while Postgres is away keeps its metadata, though its caller asks for the status meanwhile', async () => {
    await postgres.cut();
    const headers = { ...withToken, 'x-polykeep-metadata': 'true' };
    const answer = await ask('/v1/outbound-calling', { method: 'POST', headers, body });
    const { call_sid: callSid } = JSON.parse(answer.text);
    await Promise.all(Array.from({ length: 5 }, () => ask(statusPath(callSid), { headers: withToken })));
    await postgres.mend();
    await settled(callSid);
    expect((await polykeep.call(callSid)).metadata).toEqual({ campaign: 'spring', n: '3' });
  });

  it('while Postgres is away is answered all the same: exactly one call, and followed in the end', async () => {
    await postgres.cut();
    const answer = await ask('/v1/outbound-calling', { method: 'POST', headers: withToken, body });
    expect(answer.status).toBe(200);
    const { call_sid: callSid } = JSON.parse(answer.text);
    expect(polyai.triggers).toHaveLength(1);
    await postgres.mend();
    await expect.poll(() => database.query('select from polykeep.calls')).toHaveLength(1);
    await settled(callSid);
    expect(polyai.calls.size).toBe(1);
  });
});
