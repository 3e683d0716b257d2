import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXAMPLE_BATCH, EXAMPLE_BATCH_RESULT, EXAMPLE_CALL_SID } from '../../src/api/examples.ts';
import { type ApiServer, startApiServer } from '../support/api-server.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { startDropInServer } from '../support/drop-in-server.ts';
import { TOKEN } from '../support/polyai-requests.ts';

let test: TestDatabase;
let server: ApiServer;
let app: FastifyInstance;
let followed: string[] = [];
let next = 0;

beforeAll(async () => {
  test = await createDatabase();
  server = serverOn(test.url);
  app = server.app;
});

afterAll(async () => {
  await server.stop();
  await test.drop();
});

function serverOn(url: string): ApiServer {
  return startApiServer({
    url,
    newsUrl: null,
    options: {
      accounts: { has: (name) => ['default', 'spare'].includes(name), fallback: 'default', all: () => [] },
      followSoon: (callSids) => void followed.push(...callSids),
      readiness: async () => ({ postgres: 'up', queue: 'up', accounts: { default: 'ok' } }),
    },
  });
}

const newCallSid = () => `OUT-${next++}`;
const post = (url: string, payload: unknown) =>
  app.inject({ method: 'POST', url, payload: payload as object });
const get = (url: string) => app.inject({ method: 'GET', url });

async function stored(): Promise<number> {
  const [row] = await test.query<{ calls: number }>(
    'select count(*)::int as calls from polykeep_internal.calls',
  );
  return row?.calls ?? -1;
}

describe('POST /v1/calls', () => {
  it('answers 201 with the call, has it followed, and 200 when it is known already', async () => {
    followed = [];
    const callSid = newCallSid();
    const first = await post('/v1/calls', { callSid, account: 'spare', metadata: { campaign: 'spring' } });
    expect(first.statusCode).toBe(201);
    expect(first.json()).toEqual({
      callSid,
      account: 'spare',
      status: null,
      outcome: null,
      reason: null,
      metadata: { campaign: 'spring' },
      registeredAt: expect.stringMatching(/^\d{4}-\d{2}-\d{2}T[\d:]{8}\.\d{3}Z$/),
      createdAt: null,
      lastUpdated: null,
      firstSeenAt: null,
      lastSeenAt: null,
      settledAt: null,
      polls: 0,
      failedPolls: 0,
      lastError: null,
      transitions: [],
    });
    const again = await post('/v1/calls', { callSid, metadata: { campaign: 'other' } });
    expect(again.statusCode).toBe(200);
    expect(again.json()).toEqual(first.json());
    expect(followed).toEqual([callSid]);
  });

  it.each([
    ['now', (callSid: string) => ({ call_sid: callSid })],
    ['of the Agents API', (callSid: string) => ({ callSid, status: 'QUEUED' })],
  ])('takes PolyAI’s answer to a trigger as it is: %s', async (_, answer) => {
    const callSid = newCallSid();
    const response = await post('/v1/calls', answer(callSid));
    expect(response.statusCode).toBe(201);
    expect(response.json()).toMatchObject({ callSid, account: 'default', status: null });
  });

  it('of a known call adds the metadata keys that it lacks, and overwrites none', async () => {
    const callSid = newCallSid();
    await post('/v1/calls', { callSid, metadata: { campaign: 'spring' } });
    const again = await post('/v1/calls', { callSid, metadata: { campaign: 'autumn', tier: 'gold' } });
    expect(again.statusCode).toBe(200);
    expect(again.json()).toMatchObject({ metadata: { campaign: 'spring', tier: 'gold' } });
  });

  it('many at once of one call: it has the metadata of all', async () => {
    const callSid = newCallSid();
    const keys = Array.from({ length: 10 }, (_, index) => `key${index}`);
    const answers = await Promise.all(
      keys.map((key) => post('/v1/calls', { callSid, metadata: { [key]: 'x' } })),
    );
    const statuses = answers.map(({ statusCode }) => statusCode);
    expect(statuses.toSorted()).toEqual([...Array.from({ length: 9 }, () => 200), 201]);
    const { metadata } = (await get(`/v1/calls/${callSid}`)).json();
    expect(Object.keys(metadata).toSorted()).toEqual(keys);
  });

  it.each([
    ['a slip in a name', { metdata: { campaign: 'spring' } }, ['metdata']],
    ['what every object has', { constructor: 'x', toString: 'y' }, ['constructor', 'toString']],
  ])('refuses a field that it does not know, by its name: %s', async (_, fields, names) => {
    const before = await stored();
    const response = await post('/v1/calls', { callSid: newCallSid(), ...fields });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({
      code: 'invalid_request',
      errors: names.map((field) => ({ field, detail: 'is not known' })),
    });
    expect(await stored()).toBe(before);
  });

  it('takes whatever else PolyAI answers to a trigger', async () => {
    for (const answer of [
      { call_sid: newCallSid(), queue_position: 3 },
      { callSid: newCallSid(), status: 'QUEUED', estimate: {} },
    ]) {
      expect((await post('/v1/calls', answer)).statusCode).toBe(201);
    }
  });

  it('takes a callSid of each shape, and reads it back by its path, however that is written', async () => {
    for (const callSid of [
      '12345',
      'x:y',
      '...',
      '-_.:~',
      'A'.repeat(200),
      randomUUID(),
      `OUT-${randomUUID()}`,
    ]) {
      expect((await post('/v1/calls', { callSid })).statusCode).toBe(201);
      const escaped = [...callSid].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('');
      for (const segment of [callSid, escaped]) {
        expect((await get(`/v1/calls/${segment}`)).json()).toMatchObject({ callSid });
      }
    }
  });
});

describe('a call that the drop-in saw first', () => {
  it('gets its metadata when it is registered', async () => {
    const dropIn = await startDropInServer();
    try {
      const callSid = dropIn.polyai.place({
        script: [{ status: 'queued', forMs: Number.POSITIVE_INFINITY }],
      });
      const seen = await request(`${dropIn.url}/v1/outbound-calling/${callSid}/status`, {
        headers: { 'x-polyai-auth-token': TOKEN },
      });
      expect(seen.statusCode).toBe(200);
      await seen.body.dump();
      const { api } = dropIn;
      const registered = await api.app.inject({
        method: 'POST',
        url: '/v1/calls',
        payload: { callSid, metadata: { campaign: 'spring' } },
      });
      expect(registered.statusCode).toBe(200);
      expect(registered.json()).toMatchObject({ status: 'queued', metadata: { campaign: 'spring' } });
      const list = await api.app.inject('/v1/calls?metadata.campaign=spring');
      expect(list.json().data).toMatchObject([{ callSid }]);
    } finally {
      await dropIn.stop();
    }
  });
});

describe('bad input to POST /v1/calls', () => {
  const big = 'x'.repeat(9_000);
  it.each<[string, unknown, string]>([
    ['no callSid', {}, 'callSid'],
    ['an empty callSid', { callSid: '' }, 'callSid'],
    ['a callSid over 200 characters', { callSid: 'x'.repeat(201) }, 'callSid'],
    ['a line feed at the end', { callSid: 'a\n' }, 'callSid'],
    ['a NUL', { callSid: 'a\0' }, 'callSid'],
    ['half a character', { callSid: 'a\ud800' }, 'callSid'],
    ['a space', { callSid: 'a b' }, 'callSid'],
    ['a slash', { callSid: 'a/b' }, 'callSid'],
    ['a letter that is not of ASCII', { callSid: 'é' }, 'callSid'],
    ['a dot segment', { callSid: '..' }, 'callSid'],
    ['a number', { callSid: 5 }, 'callSid'],
    ['null', { callSid: null }, 'callSid'],
    ['two different ids', { callSid: 'a', call_sid: 'b' }, 'call_sid'],
    ['an unknown account', { callSid: 'a', account: 'nobody' }, 'account'],
    ['an account of a wrong type', { callSid: 'a', account: 1 }, 'account'],
    ['metadata that is no object', { callSid: 'a', metadata: ['x'] }, 'metadata'],
    ['metadata that is not string to string', { callSid: 'a', metadata: { tier: 1 } }, 'metadata.tier'],
    ['nested metadata', { callSid: 'a', metadata: { tier: {} } }, 'metadata.tier'],
    ['metadata over 8 KB', { callSid: 'a', metadata: { big } }, 'metadata'],
    ['metadata with a NUL', { callSid: 'a', metadata: { tier: '\0' } }, 'metadata.tier'],
    ['a list', [{ callSid: 'a' }], 'body'],
  ])('%s: 400 that names the field, nothing stored', async (_, payload, field) => {
    const before = await stored();
    const response = await post('/v1/calls', payload);
    expect(response.statusCode).toBe(400);
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(response.json()).toMatchObject({
      type: 'about:blank',
      title: 'Bad Request',
      status: 400,
      code: 'invalid_request',
    });
    expect(response.json().errors[0]).toMatchObject({ field });
    expect(response.json().detail).toContain(field);
    expect(await stored()).toBe(before);
  });

  it.each<[string, number, string, Record<string, string>, string]>([
    ['no JSON', 400, '{"callSid":', { 'content-type': 'application/json' }, 'body'],
    ['an empty body', 400, '', { 'content-type': 'application/json' }, 'body'],
    [
      'a poisoned prototype',
      400,
      '{"callSid":"a","__proto__":{}}',
      { 'content-type': 'application/json' },
      'body',
    ],
    [
      'another content type',
      415,
      'callSid=a',
      { 'content-type': 'application/x-www-form-urlencoded' },
      'content-type',
    ],
    [
      'a body over 1 MB',
      413,
      JSON.stringify({ callSid: 'a', x: 'x'.repeat(1 << 20) }),
      { 'content-type': 'application/json' },
      'body',
    ],
  ])('%s: %s', async (_, status, payload, headers, field) => {
    const before = await stored();
    const response = await app.inject({ method: 'POST', url: '/v1/calls', payload, headers });
    expect(response.statusCode).toBe(status);
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(response.json()).toMatchObject({ status, errors: [{ field }] });
    expect(await stored()).toBe(before);
  });
});

describe('POST /v1/calls/batch', () => {
  it('lets the good ones in and says what is wrong with the others', async () => {
    followed = [];
    const [known, fresh, other] = [newCallSid(), newCallSid(), newCallSid()];
    await post('/v1/calls', { callSid: known });
    followed = [];
    const response = await post('/v1/calls/batch', {
      calls: [
        { callSid: fresh },
        { callSid: known },
        { callSid: '' },
        { call_sid: other, metadata: { a: 'b' } },
        { callSid: fresh },
        { callSid: 'x', account: 'nobody' },
        'OUT-1',
        null,
      ],
    });
    expect(response.statusCode).toBe(200);
    expect(response.json().results).toEqual([
      { callSid: fresh, result: 'created' },
      { callSid: known, result: 'existing' },
      { callSid: '', result: 'invalid', error: expect.stringContaining('callSid') },
      { callSid: other, result: 'created' },
      { callSid: fresh, result: 'existing' },
      { callSid: 'x', result: 'invalid', error: expect.stringContaining('account') },
      { callSid: null, result: 'invalid', error: expect.any(String) },
      { callSid: null, result: 'invalid', error: expect.any(String) },
    ]);
    expect(followed).toEqual([fresh, other]);
  });

  it('tells of a field that it does not know, and gives a call that comes twice the metadata of both', async () => {
    const callSid = newCallSid();
    const { results } = (
      await post('/v1/calls/batch', {
        calls: [
          { callSid, metadata: { campaign: 'spring' } },
          { callSid, metdata: { tier: 'silver' } },
          { callSid, metadata: { campaign: 'autumn', tier: 'gold' } },
          { call_sid: newCallSid(), queue_position: 3 },
        ],
      })
    ).json();
    expect(results).toMatchObject([
      { callSid, result: 'created' },
      { callSid, result: 'invalid', error: 'metdata: is not known' },
      { callSid, result: 'existing' },
      { result: 'created' },
    ]);
    const { metadata } = (await get(`/v1/calls/${callSid}`)).json();
    expect(metadata).toEqual({ campaign: 'spring', tier: 'gold' });
  });

  it('answers the example of its document as the document says', async () => {
    await post('/v1/calls', { callSid: EXAMPLE_CALL_SID });
    expect((await post('/v1/calls/batch', EXAMPLE_BATCH)).json()).toEqual(EXAMPLE_BATCH_RESULT);
  });

  it('takes 10,000 calls and not one more', async () => {
    const calls = Array.from({ length: 10_000 }, () => ({ callSid: newCallSid() }));
    const response = await post('/v1/calls/batch', { calls });
    const created = response.json().results.filter(({ result }: { result: string }) => result === 'created');
    expect(created).toHaveLength(10_000);
    const refused = await post('/v1/calls/batch', { calls: [...calls, { callSid: newCallSid() }] });
    expect(refused.statusCode).toBe(400);
    expect(refused.json()).toMatchObject({ errors: [{ field: 'calls' }] });
  });

  it.each([{}, { calls: 'x' }, { calls: {} }])('refuses %j', async (payload) => {
    const response = await post('/v1/calls/batch', payload);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ errors: [{ field: 'calls' }] });
  });
});

describe('GET /v1/calls/{callSid}', () => {
  it('of a call that was never registered is 404', async () => {
    const response = await get('/v1/calls/never');
    expect(response.statusCode).toBe(404);
    expect(response.json()).toMatchObject({ status: 404, code: 'call_not_found' });
  });

  it.each(['x'.repeat(201), 'a%00b', 'a%2Fb', 'a%20b', '%C3%A9'])(
    'refuses what is no callSid: %.20s',
    async (segment) => {
      const response = await get(`/v1/calls/${segment}`);
      expect(response.statusCode).toBe(400);
      expect(response.json()).toMatchObject({ errors: [{ field: 'callSid' }] });
    },
  );
});

describe('GET /v1/calls', () => {
  it('is paged by cursor, newest first', async () => {
    const campaign = `page-${next++}`;
    const calls = Array.from({ length: 5 }, () => ({ callSid: newCallSid(), metadata: { campaign } }));
    await post('/v1/calls/batch', { calls });
    const seen: string[] = [];
    let query = `metadata.campaign=${campaign}&limit=2`;
    for (let pages = 0; pages < 3; pages++) {
      const { data, nextCursor } = (await get(`/v1/calls?${query}`)).json();
      seen.push(...data.map((call: { callSid: string }) => call.callSid));
      expect(nextCursor === null).toBe(pages === 2);
      query = `metadata.campaign=${campaign}&limit=2&cursor=${nextCursor}`;
    }
    expect(seen).toHaveLength(5);
    expect([...seen].sort()).toEqual(calls.map(({ callSid }) => callSid).sort());
  });

  it('takes every filter', async () => {
    const campaign = `filter ${next++} & more`;
    await post('/v1/calls', { callSid: newCallSid(), account: 'spare', metadata: { campaign, 'a.b': 'c' } });
    const found = async (filters: Record<string, string>) => {
      const query = new URLSearchParams({ 'metadata.campaign': campaign, ...filters });
      return (await get(`/v1/calls?${query}`)).json().data.length;
    };
    expect(await found({})).toBe(1);
    expect(await found({ account: 'spare', outcome: 'none', 'metadata.a.b': 'c' })).toBe(1);
    expect(
      await found({ registeredFrom: '2020-01-01T00:00:00Z', registeredTo: '2099-01-01T00:00:00+01:00' }),
    ).toBe(1);
    expect(await found({ account: 'default' })).toBe(0);
    expect(await found({ status: 'queued' })).toBe(0);
    expect(await found({ outcome: 'success' })).toBe(0);
    expect(await found({ registeredTo: '2020-01-01T00:00:00Z' })).toBe(0);
    expect(await found({ 'metadata.a.b': 'd' })).toBe(0);
    expect(await found({ callSidPrefix: 'OUT-' })).toBe(1);
    expect(await found({ callSidPrefix: 'IN-' })).toBe(0);
    expect(await found({ reason: 'busy' })).toBe(0);
    expect(await found({ settledFrom: '2020-01-01T00:00:00Z' })).toBe(0);
    expect(await found({ settledTo: '2099-01-01T00:00:00Z' })).toBe(0);
  });

  it.each([
    ['colour=red', 'colour'],
    ['metadata=x', 'metadata'],
    ['metadata.=x', 'metadata.'],
    ['outcome=maybe', 'outcome'],
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['limit=Infinity', 'limit'],
    ['limit=-1e999', 'limit'],
    ['limit=ten', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['cursor=nonsense', 'cursor'],
    ['cursor=', 'cursor'],
    [`cursor=${Buffer.from('[8640000000000000,"a"]').toString('base64url')}`, 'cursor'],
    [`cursor=${Buffer.from('[0,"\\u0000"]').toString('base64url')}`, 'cursor'],
    ['registeredFrom=yesterday', 'registeredFrom'],
    ['registeredTo=2026-11-24', 'registeredTo'],
    ['registeredTo=0000-01-01T00:00:00Z', 'registeredTo'],
    ['settledFrom=yesterday', 'settledFrom'],
    ['settledTo=9999-12-31T23:59:59-14:00', 'settledTo'],
    ['reason=', 'reason'],
    ['reason=%00', 'reason'],
    ['callSidPrefix=', 'callSidPrefix'],
    ['callSidPrefix=a%00', 'callSidPrefix'],
    ['callSidPrefix=OUT%2F', 'callSidPrefix'],
    [`callSidPrefix=${'x'.repeat(201)}`, 'callSidPrefix'],
    ['metadata.a=%00', 'metadata.a'],
    ['status=%00', 'status'],
    ['account=%00', 'account'],
  ])('?%s: 400 that names it', async (query, field) => {
    const response = await get(`/v1/calls?${query}`);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ code: 'invalid_request', errors: [{ field }] });
  });
});

describe('everything else', () => {
  it('an unknown route is a problem too', async () => {
    const response = await get('/v1/nothing?x=1');
    expect(response.statusCode).toBe(404);
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(response.json()).toMatchObject({ code: 'route_not_found', detail: 'no route GET /v1/nothing' });
  });

  it.each([
    ['/v1/calls/%zz', 400, 'invalid_request'],
    [`/v1/calls/${'x'.repeat(601)}`, 414, 'uri_too_long'],
  ])('a path that cannot be read is a problem of the URL: %.20s', async (url, status, code) => {
    const response = await get(url);
    expect(response.statusCode).toBe(status);
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(response.json()).toMatchObject({ code, errors: [{ field: 'url' }] });
  });

  it('is live', async () => {
    expect((await get('/health/live')).json()).toEqual({ status: 'ok' });
  });

  it('without Postgres is 503 with Retry-After, and tells nothing of the inside', async () => {
    const away = serverOn('postgres://polykeep:hunter2@127.0.0.1:1/none');
    try {
      for (const request of [
        { method: 'GET' as const, url: '/v1/calls' },
        { method: 'GET' as const, url: '/v1/calls/a' },
        { method: 'GET' as const, url: '/v1/stats' },
        { method: 'GET' as const, url: '/v1/export' },
        { method: 'POST' as const, url: '/v1/calls', payload: { callSid: 'a' } },
        { method: 'PATCH' as const, url: '/v1/calls/a', payload: { metadata: {} } },
        { method: 'POST' as const, url: '/v1/calls/batch', payload: { calls: [{ callSid: 'a' }] } },
      ]) {
        const response = await away.app.inject(request);
        expect(response.statusCode).toBe(503);
        expect(response.headers['retry-after']).toBe('5');
        expect(response.json()).toMatchObject({ status: 503, code: 'archive_unavailable' });
        expect(response.body).not.toMatch(/hunter2|ECONNREFUSED|127\.0\.0\.1/);
      }
    } finally {
      await away.stop();
    }
  });
});
