import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiServer, startApiServer } from '../support/api-server.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';

let test: TestDatabase;
let server: ApiServer;
let next = 0;

beforeAll(async () => {
  test = await createDatabase();
  server = startApiServer({ url: test.url, newsUrl: null });
});

afterAll(async () => {
  await server.stop();
  await test.drop();
});

async function register(metadata: Record<string, string>): Promise<string> {
  const callSid = `OUT-${next++}`;
  await server.registrar.register({ callSid, account: 'default', metadata });
  return callSid;
}

const patch = (callSid: string, payload: unknown, type = 'application/json') =>
  server.app.inject({
    method: 'PATCH',
    url: `/v1/calls/${callSid}`,
    headers: { 'content-type': type },
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  });
const read = async (callSid: string) => (await server.app.inject(`/v1/calls/${callSid}`)).json();

describe('PATCH /v1/calls/{callSid}', () => {
  it('puts, replaces and removes keys, leaves the others, and answers with the call', async () => {
    const callSid = await register({ campaign: 'spring', tier: 'gold', agent: 'a' });
    const answer = await patch(callSid, {
      metadata: { campaign: 'autumn', tier: null, 'é "\\\n': 'ü', gone: null },
    });
    expect(answer.statusCode).toBe(200);
    expect(answer.json().metadata).toEqual({ campaign: 'autumn', agent: 'a', 'é "\\\n': 'ü' });
    expect(answer.json()).toEqual(await read(callSid));
    const list = await server.app.inject('/v1/calls?metadata.campaign=autumn');
    expect(list.json().data).toMatchObject([{ callSid }]);
  });

  it('takes the media type of a merge patch', async () => {
    const callSid = await register({});
    const answer = await patch(callSid, { metadata: { a: 'b' } }, 'application/merge-patch+json');
    expect(answer.json()).toMatchObject({ metadata: { a: 'b' } });
  });

  it('many at once of one call: all of them are kept', async () => {
    const callSid = await register({ first: 'x' });
    const keys = Array.from({ length: 10 }, (_, index) => `key${index}`);
    await Promise.all(keys.map((key) => patch(callSid, { metadata: { [key]: 'x' } })));
    expect(Object.keys((await read(callSid)).metadata).toSorted()).toEqual(['first', ...keys].toSorted());
  });

  it('of a call that was never registered is 404', async () => {
    const answer = await patch('never', { metadata: {} });
    expect(answer.statusCode).toBe(404);
    expect(answer.json()).toMatchObject({ code: 'call_not_found' });
  });

  it('is held to the size of a registration to the byte, but may always remove', async () => {
    const callSid = await register({ a: '', 'b"': '' });
    const room = 8 * 1024 - JSON.stringify({ a: '', 'b"': '', c: '' }).length;
    expect((await patch(callSid, { metadata: { c: 'x'.repeat(room + 1) } })).json()).toMatchObject({
      code: 'invalid_request',
      errors: [{ field: 'metadata', detail: 'is larger than 8 KB' }],
    });
    expect((await read(callSid)).metadata).toEqual({ a: '', 'b"': '' });
    expect((await patch(callSid, { metadata: { c: 'x'.repeat(room) } })).statusCode).toBe(200);

    const larger = await register({ c: 'x'.repeat(20_000), d: 'd' });
    expect((await patch(larger, { metadata: { d: null } })).statusCode).toBe(200);
    expect((await patch(larger, { metadata: { d: 'd' } })).statusCode).toBe(400);
  });

  it('is filled in by a second registration up to the same size, to the byte', async () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, key) => [`key${key}`, 'x']));
    const room = 8 * 1024 - JSON.stringify({ ...many, c: '' }).length;
    for (const [length, fits] of [
      [room, true],
      [room + 1, false],
    ] as const) {
      const callSid = await register(many);
      const again = { callSid, account: 'default', metadata: { c: 'x'.repeat(length) } };
      await server.registrar.register(again);
      expect('c' in (await read(callSid)).metadata).toBe(fits);
    }
  });

  it('writes no row that it does not change', async () => {
    const callSid = await register({ a: 'b' });
    const version = () =>
      test.query('select xmin::text from polykeep_internal.calls where call_sid = $1', [callSid]);
    const before = await version();
    expect((await patch(callSid, { metadata: { a: 'b', c: null } })).statusCode).toBe(200);
    // The lock of the row is in xmax, and no part of its version.
    expect(await version()).toEqual(before);
  });

  it.each<[string, unknown, string]>([
    ['no metadata', {}, 'metadata'],
    ['metadata that is none', { metadata: null }, 'metadata'],
    ['a list', { metadata: [] }, 'metadata'],
    ['a number', { metadata: { tier: 1 } }, 'metadata.tier'],
    ['nested metadata', { metadata: { tier: {} } }, 'metadata.tier'],
    ['a NUL', { metadata: { tier: '\0' } }, 'metadata.tier'],
    ['a NUL in a key', { metadata: { 'a\0': 'b' } }, 'metadata'],
    ['another field', { metadata: {}, account: 'spare' }, 'account'],
    ['no JSON', '{', 'body'],
  ])('%s: 400 that names the field, nothing changed', async (_, payload, field) => {
    const callSid = await register({ campaign: 'spring' });
    const answer = await patch(callSid, payload);
    expect(answer.statusCode).toBe(400);
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(answer.json()).toMatchObject({ code: 'invalid_request' });
    expect(answer.json().errors[0]).toMatchObject({ field });
    expect((await read(callSid)).metadata).toEqual({ campaign: 'spring' });
  });
});
