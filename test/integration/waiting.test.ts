import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { Value } from 'typebox/value';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { CallJson, FeedPageJson } from '../../src/api/schemas.ts';
import { type ApiServer, startApiServer } from '../support/api-server.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { sightingNow } from '../support/sighting.ts';
import { type TcpProxy, tcpProxy } from '../support/tcp-proxy.ts';

/** So long that what is seen was not found by looking, but told. */
const NEVER_MS = 3_600_000;
const WAITERS = 2_000;
/** A few gaps between checks; a machine so slow that it is too short lets more pass, and fails nothing. */
const LOOKS_MS = 200;

let test: TestDatabase;
let api: ApiServer;

beforeEach(async () => {
  test = await createDatabase();
  api = startApiServer({ url: test.url, checkEveryMs: NEVER_MS });
});

afterEach(async () => {
  await api.stop();
  await test.drop();
});

/** Instead of the one that each test begins with. */
async function restart(
  options: Omit<Parameters<typeof startApiServer>[0], 'url'>,
  url = test.url,
): Promise<void> {
  await api.stop();
  api = startApiServer({ url, ...options });
}

async function register(callSid: string, account = 'default'): Promise<void> {
  await api.registrar.register({ callSid, account, metadata: {} });
}

async function show(callSid: string, status: string): Promise<void> {
  await api.writer.report({ callSid, sighting: sightingNow(status) });
}

/** Written by another process. */
async function showElsewhere(callSid: string, status: string): Promise<void> {
  const other = startApiServer({ url: test.url });
  await other.writer.report({ callSid, sighting: sightingNow(status) });
  await other.stop();
}

const get = (url: string) => api.app.inject({ url });

async function waitForCall(callSid: string, seconds: number): Promise<CallJson> {
  return Value.Parse(CallJson, (await get(`/v1/calls/${callSid}?wait=${seconds}`)).json());
}

async function feed(query: string): Promise<FeedPageJson> {
  return Value.Parse(FeedPageJson, (await get(`/v1/transitions?${query}`)).json());
}

/** Connections that this database has, by their names. */
async function connections(): Promise<Record<string, number>> {
  const rows = await test.query<{ name: string; count: number }>(
    `select application_name as name, count(*)::int from pg_stat_activity
      where datname = current_database() and application_name like 'polykeep%' group by 1`,
  );
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
}

/** Has the time of the requests be over that wait for so many seconds from now on: when it is called. */
function endOfTime(seconds: number): () => void {
  const timers = vi.spyOn(globalThis, 'setTimeout');
  onTestFinished(() => timers.mockRestore());
  return () => {
    for (const [end, ms] of timers.mock.calls) if (ms === seconds * 1_000) end();
  };
}

/** The server's ears are open, and its first looks are over: what is shown from now on is found by being told. */
async function listening(): Promise<void> {
  await expect
    .poll(() =>
      test.query(`select 1 from pg_stat_activity where datname = current_database()
                     and application_name = 'polykeep news' and state = 'idle' and query ilike 'listen%'`),
    )
    .toHaveLength(1);
  await sleep(LOOKS_MS);
}

describe('GET /v1/calls/{callSid}?wait', () => {
  it('answers when the call settles, in whichever process, and not when it only changes', async () => {
    await register('OUT-1');
    let answered = false;
    const answer = waitForCall('OUT-1', 60).finally(() => {
      answered = true;
    });
    await listening();
    await showElsewhere('OUT-1', 'calling');
    await show('OUT-1', 'odd');
    expect(answered).toBe(false);
    await showElsewhere('OUT-1', 'success');
    expect(await answer).toMatchObject({
      outcome: 'success',
      transitions: [{ seq: 1 }, { seq: 2 }, { seq: 3 }],
    });
  });

  it('hears of an end that PolyAI did not show', async () => {
    await register('OUT-1');
    const answer = waitForCall('OUT-1', 60);
    await listening();
    await api.writer.report({ callSid: 'OUT-1', conclusion: { outcome: 'abandoned', at: new Date() } });
    expect(await answer).toMatchObject({ outcome: 'abandoned', transitions: [] });
  });

  it('answers at once for a call that is settled, and 404 for one that is not registered', async () => {
    await register('OUT-1');
    await show('OUT-1', 'failed');
    expect(await waitForCall('OUT-1', 60)).toMatchObject({ outcome: 'failure' });
    expect((await get('/v1/calls/never?wait=60')).statusCode).toBe(404);
    expect((await get('/v1/calls/OUT-1?wait=61')).json()).toMatchObject({ errors: [{ field: 'wait' }] });
  });

  it('answers with what is known when the time is over', async () => {
    await register('OUT-1');
    const timeIsOver = endOfTime(59);
    const answer = waitForCall('OUT-1', 59);
    await expect.poll(() => api.waiting.held).toBe(1);
    await show('OUT-1', 'calling');
    timeIsOver();
    expect(await answer).toMatchObject({ outcome: null, status: 'calling' });
  });

  it('is 404 when the call is erased meanwhile', async () => {
    await restart({ checkEveryMs: 20 });
    await register('OUT-1');
    const answer = get('/v1/calls/OUT-1?wait=60');
    await listening();
    await test.query('delete from polykeep_internal.calls');
    expect((await answer).statusCode).toBe(404);
  });

  it('is answered without being told: behind a pooler no word ever comes', async () => {
    await restart({ newsUrl: null, checkEveryMs: 20 });
    await register('OUT-1');
    const answer = waitForCall('OUT-1', 60);
    await show('OUT-1', 'success');
    expect(await answer).toMatchObject({ outcome: 'success' });
  });
});

describe('2,000 requests that wait', () => {
  it('cost one connection, and are answered together', async () => {
    const agent = new Agent({ headersTimeout: 100_000 });
    const url = await api.app.listen({ port: 0, host: '127.0.0.1' });
    const callSids = Array.from({ length: WAITERS }, (_, n) => `OUT-${n}`);
    await api.registrar.registerAll(
      callSids.map((callSid) => ({ callSid, account: 'default', metadata: {} })),
    );
    const answers = Promise.all(
      callSids.map(async (callSid) => {
        const response = await request(`${url}/v1/calls/${callSid}?wait=60`, { dispatcher: agent });
        return response.body.text();
      }),
    );
    await expect.poll(() => api.waiting.held).toBe(WAITERS);
    await listening();
    const { polykeep = 0, ...rest } = await connections();
    expect(rest).toEqual({ 'polykeep news': 1 });
    expect(polykeep).toBeLessThanOrEqual(10);

    const queries = vi.spyOn(api.database.pool, 'query');
    await Promise.all(callSids.map((callSid) => show(callSid, 'success')));
    const texts = await answers;
    const calls = texts.map((text) => Value.Parse(CallJson, JSON.parse(text)));
    expect(calls.every(({ outcome }) => outcome === 'success')).toBe(true);
    expect(calls.map(({ callSid }) => callSid)).toEqual(callSids);
    expect(queries.mock.calls.length).toBeLessThan(200);
    expect(api.waiting.held).toBe(0);
    await agent.close();
  });
});

describe('GET /v1/transitions?wait', () => {
  it('answers as soon as something new is there, in whichever process', async () => {
    await register('OUT-1');
    const { nextCursor } = await feed('');
    const answer = feed(`after=${nextCursor}&wait=60`);
    await listening();
    await showElsewhere('OUT-1', 'queued');
    const page = await answer;
    expect(page.data).toMatchObject([{ callSid: 'OUT-1', status: 'queued' }]);
    // What is there already is not waited for.
    expect((await feed('wait=60')).data).toHaveLength(1);
    expect((await feed(`after=${page.nextCursor}`)).data).toEqual([]);
  });

  it('tries again while an older transaction is open, whose end nobody tells', async () => {
    await register('OUT-1');
    const other = new Client({ connectionString: test.url });
    await other.connect();
    await other.query('begin; select pg_current_xact_id()');
    const late = feed('wait=60');
    await listening();
    await show('OUT-1', 'queued');
    // One that comes when the word was heard already.
    const later = feed('wait=60');
    await expect.poll(() => api.waiting.held).toBe(2);
    await sleep(LOOKS_MS);
    await other.query('commit');
    await other.end();
    expect((await late).data).toHaveLength(1);
    expect((await later).data).toHaveLength(1);
  });

  it('of one account is not ended by another', async () => {
    await register('OUT-uk', 'uk');
    await register('OUT-us', 'us');
    const answer = feed('account=us&wait=60');
    await listening();
    await show('OUT-uk', 'queued');
    await expect.poll(async () => (await feed('account=uk')).data).toHaveLength(1);
    expect(api.waiting.held).toBe(1);
    await show('OUT-us', 'calling');
    expect((await answer).data).toMatchObject([{ callSid: 'OUT-us', account: 'us' }]);
  });

  it('is empty when the time is over, and its cursor goes on', async () => {
    const { data, nextCursor } = await feed('wait=1');
    expect(data).toEqual([]);
    await register('OUT-1');
    await show('OUT-1', 'queued');
    expect((await feed(`after=${nextCursor}&wait=60`)).data).toHaveLength(1);
  });
});

describe('requests that wait', () => {
  it('are looked after at once when the ears were closed and open again', async () => {
    await register('OUT-1');
    const answer = waitForCall('OUT-1', 60);
    await listening();
    // Nobody is told: as if the word had come while the connection was broken.
    await test.query(`update polykeep_internal.calls set settled_at = now(), outcome = 4`);
    await test.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = 'polykeep news'`,
    );
    expect(await answer).toMatchObject({ outcome: 'lost' });
  });

  it('are forgotten when the client goes away', async () => {
    await register('OUT-1');
    const url = await api.app.listen({ port: 0, host: '127.0.0.1' });
    const leaving = new AbortController();
    const left = ['calls/OUT-1?wait=60', 'transitions?wait=60'].map((path) =>
      request(`${url}/v1/${path}`, { signal: leaving.signal }),
    );
    await expect.poll(() => api.waiting.held).toBe(2);
    leaving.abort();
    for (const { status } of await Promise.allSettled(left)) expect(status).toBe('rejected');
    await expect.poll(() => api.waiting.held).toBe(0);
  });

  it('are answered with what is known when the process stops', async () => {
    await register('OUT-1');
    const url = await api.app.listen({ port: 0, host: '127.0.0.1' });
    const call = request(`${url}/v1/calls/OUT-1?wait=60`);
    const page = request(`${url}/v1/transitions?wait=60`);
    await expect.poll(() => api.waiting.held).toBe(2);
    // Ends although the client would keep its connections.
    await api.app.close();
    expect(Value.Parse(CallJson, await (await call).body.json())).toMatchObject({ outcome: null });
    expect(Value.Parse(FeedPageJson, await (await page).body.json()).data).toEqual([]);
  });
});

describe('while Postgres is away', () => {
  let way: TcpProxy;

  beforeEach(async () => {
    way = await tcpProxy(test.url);
    await restart({ checkEveryMs: 50 }, way.url);
    await register('OUT-1');
  });

  afterEach(() => way.close());

  it('who waits goes on waiting, and is answered when it is back', async () => {
    const answers = [waitForCall('OUT-1', 60), feed('wait=60')];
    await expect.poll(() => api.waiting.held).toBe(2);
    await listening();
    await way.cut();
    await showElsewhere('OUT-1', 'success');
    await way.mend();
    expect(await Promise.all(answers)).toMatchObject([
      { outcome: 'success' },
      { data: [{ status: 'success' }] },
    ]);
  });

  it('who waits is answered 503 at the end of its time, and who comes at once', async () => {
    const timeIsOver = endOfTime(59);
    const answers = ['/v1/calls/OUT-1?wait=59', '/v1/transitions?wait=59'].map(get);
    await expect.poll(() => api.waiting.held).toBe(2);
    await way.cut();
    for (const path of ['/v1/calls/OUT-1?wait=60', '/v1/transitions?wait=60']) {
      expect((await get(path)).statusCode).toBe(503);
    }
    timeIsOver();
    for (const { statusCode } of await Promise.all(answers)) expect(statusCode).toBe(503);
  });
});
