import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient, type FollowedTransition, type PolykeepClient } from '../../src/client/client.ts';
import { type ApiServer, startApiServer } from '../support/api-server.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { sightingNow } from '../support/sighting.ts';
import { type TcpProxy, tcpProxy } from '../support/tcp-proxy.ts';

/** `polykeep/client` against a real API, on a way that can be cut. */

let test: TestDatabase;
let server: ApiServer;
let way: TcpProxy;
let client: PolykeepClient;

beforeEach(async () => {
  test = await createDatabase();
  server = startApiServer({ url: test.url });
  way = await tcpProxy(await server.app.listen({ host: '127.0.0.1', port: 0 }));
  client = createClient({ url: way.url });
});

afterEach(async () => {
  await way.close();
  await server.stop();
  await test.drop();
});

const register = (callSid: string, metadata = {}) =>
  server.registrar.register({ callSid, account: 'default', metadata });
const show = (callSid: string, status: string) =>
  server.writer.report({ callSid, sighting: sightingNow(status) });

async function next(feed: ReturnType<PolykeepClient['transitions']>): Promise<FollowedTransition> {
  const { value } = await feed.next();
  if (value === undefined) throw new Error('the feed ended');
  return value;
}

describe('follow', () => {
  it('registers the call and gives it at its end, over a way that breaks meanwhile', async () => {
    const retried = Promise.withResolvers<unknown>();
    const following = client.follow('one', { metadata: { campaign: 'spring' }, onRetry: retried.resolve });
    await expect.poll(() => test.query('select call_sid from polykeep.calls')).toHaveLength(1);
    await way.cut();
    await retried.promise;
    await way.mend();
    await show('one', 'success');
    expect(await following).toMatchObject({
      callSid: 'one',
      outcome: 'success',
      metadata: { campaign: 'spring' },
    });
  });

  it('says what polykeep refuses', async () => {
    await expect(client.follow('not an id')).rejects.toMatchObject({
      name: 'ProblemError',
      code: 'invalid_request',
      status: 400,
    });
  });

  it('gives up on a polykeep that is away, and when it is told to', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(client.follow('one', { signal })).rejects.toThrow('enough');
    await way.cut();
    await expect(client.follow('one', { patienceMs: 0 })).rejects.toThrow('fetch failed');
  });
});

describe('transitions', () => {
  it('goes on behind the last one when the way was cut, and misses and repeats none', async () => {
    const feed = client.transitions();
    await register('one');
    for (const status of ['queued', 'calling']) {
      await show('one', status);
      expect(await next(feed)).toMatchObject({ callSid: 'one', status });
    }
    await way.cut();
    await show('one', 'ringing');
    await show('one', 'success');
    await way.mend();
    expect([(await next(feed)).status, (await next(feed)).status]).toEqual(['ringing', 'success']);
    await feed.return();
  });

  it('goes on behind the cursor that it gave with a transition', async () => {
    await register('one');
    for (const status of ['queued', 'calling', 'success']) await show('one', status);
    const { cursor } = await next(client.transitions());
    expect((await next(client.transitions({ after: cursor }))).status).toBe('calling');
  });

  it('from now on has nothing of before', async () => {
    await register('before');
    await show('before', 'queued');
    const first = next(client.transitions({ after: 'now' }));
    let told: FollowedTransition | null = null;
    // Nobody is told when it listens: something new happens until it has heard of it.
    for (let n = 0; told === null; n++) {
      await register(`later-${n}`);
      await show(`later-${n}`, 'queued');
      told = await Promise.race([first, sleep(50, null)]);
    }
    expect(told.callSid).toMatch(/^later-/);
  });

  it('ends where its key or its cursor is refused', async () => {
    await expect(next(client.transitions({ after: 'none' }))).rejects.toMatchObject({ status: 400 });
  });
});

it('asks for metadata as the API has it', async () => {
  await register('one', { campaign: 'spring' });
  await register('two', { campaign: 'autumn' });
  const query = { metadata: { campaign: 'autumn' }, limit: 10 };
  const { data } = await client.GET('/v1/calls', { params: { query } });
  expect(data?.data.map(({ callSid }) => callSid)).toEqual(['two']);
});
