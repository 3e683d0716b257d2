import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  DeliveryPageJson,
  ShownWebhookJson,
  WebhookJson,
  WebhookListJson,
} from '../../src/api/webhook-schemas.ts';
import { systemClock } from '../../src/clock.ts';
import { readAllowance } from '../../src/push/allowance.ts';
import { takeReplaySteps } from '../../src/push/replays.ts';
import { createTargets } from '../../src/push/targets.ts';
import { createWebhooks } from '../../src/push/webhooks.ts';
import { createDeliveryRetention } from '../../src/upkeep/deliveries.ts';
import { createRounds } from '../../src/upkeep/rounds.ts';
import { type ApiServer, startApiServer } from '../support/api-server.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { silentLog as log } from '../support/log.ts';
import { type Pushing, startPushing } from '../support/push.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { sightingNow } from '../support/sighting.ts';

/** The routes of webhooks, with what delivers behind them. */

const ProblemJson = Type.Object({
  code: Type.String(),
  errors: Type.Optional(Type.Array(Type.Object({ field: Type.String(), detail: Type.String() }))),
});

let database: OpenDatabase;
let api: ApiServer;
let pushing: Pushing;
let receiver: Receiver;

beforeEach(async () => {
  database = await openTestDatabase();
  api = startApiServer({ url: database.url });
  pushing = startPushing(database);
  receiver = await startReceiver();
});

afterEach(async () => {
  await pushing.stop();
  await receiver.stop();
  await api.stop();
  await database.drop();
});

async function ask(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, payload?: object) {
  const { statusCode, body } = await api.app.inject({
    method,
    url: `/v1/webhooks${path}`,
    ...(payload === undefined ? {} : { payload }),
  });
  return { status: statusCode, json: body === '' ? null : JSON.parse(body) };
}

async function create(more: object = {}) {
  const { status, json } = await ask('POST', '', { url: receiver.url, events: ['call.settled'], ...more });
  expect(status).toBe(201);
  const webhook = Value.Parse(ShownWebhookJson, json);
  receiver.secret = webhook.secret;
  return webhook;
}

async function problemOf(answer: ReturnType<typeof ask>) {
  const { status, json } = await answer;
  const { code, errors = [] } = Value.Parse(ProblemJson, json);
  return { status, code, fields: errors.map(({ field }) => field) };
}

async function live(callSid: string, ...statuses: string[]): Promise<void> {
  await pushing.registrar.register({ callSid, account: 'default', metadata: {} });
  for (const status of statuses) await pushing.writer.report({ callSid, sighting: sightingNow(status) });
}

const deliveries = async (id: string, query = '') =>
  Value.Parse(DeliveryPageJson, (await ask('GET', `/${id}/deliveries${query}`)).json);

describe('a webhook', () => {
  it('is made, read, listed, changed and removed, and its secret is shown once', async () => {
    const made = await create({ account: 'default', metadata: { tier: 'gold' }, description: 'of a test' });
    const { secret, ...shown } = made;
    expect(secret).toMatch(/^whsec_/);
    expect((await ask('GET', `/${made.id}`)).json).toEqual(shown);
    expect(Value.Parse(WebhookListJson, (await ask('GET', '')).json)).toEqual({ data: [shown] });
    const change = { events: ['call.transition'], account: null, metadata: {}, description: null };
    const changed = await ask('PATCH', `/${made.id}`, change);
    expect(changed).toEqual({ status: 200, json: { ...shown, ...change } });
    const disabled = Value.Parse(WebhookJson, (await ask('PATCH', `/${made.id}`, { enabled: false })).json);
    expect(disabled).toMatchObject({ enabled: false, disabledReason: 'by request' });
    const enabled = await ask('PATCH', `/${made.id}`, { enabled: true });
    expect(enabled.json).toMatchObject({ enabled: true, disabledReason: null, disabledAt: null });
    expect((await ask('DELETE', `/${made.id}`)).status).toBe(204);
    expect((await ask('GET', '')).json).toEqual({ data: [] });
  });

  it('that is not there is not found by any route', async () => {
    const gone = { status: 404, code: 'webhook_not_found', fields: ['id'] };
    const span = { from: '2026-11-01T00:00:00Z', to: '2026-11-02T00:00:00Z' };
    expect(await problemOf(ask('GET', '/wh_none'))).toEqual(gone);
    expect(await problemOf(ask('PATCH', '/wh_none', { enabled: true }))).toEqual(gone);
    expect(await problemOf(ask('DELETE', '/wh_none'))).toEqual(gone);
    expect(await problemOf(ask('POST', '/wh_none/test'))).toEqual(gone);
    expect(await problemOf(ask('POST', '/wh_none/rotate'))).toEqual(gone);
    expect(await problemOf(ask('POST', '/wh_none/replay', span))).toEqual(gone);
    expect(await problemOf(ask('GET', '/wh_none/deliveries'))).toEqual(gone);
    const { id } = await create();
    expect(await problemOf(ask('POST', `/${id}/deliveries/1/resend`))).toEqual({
      status: 404,
      code: 'delivery_not_found',
      fields: ['deliveryId'],
    });
  });

  it.each([
    ['url', {}],
    ['url', { url: 7 }],
    ['url', { url: '' }],
    ['url', { url: 'nowhere' }],
    ['url', { url: 'ftp://127.0.0.1/' }],
    ['url', { url: 'http://user:password@127.0.0.1/' }],
    ['url', { url: 'http://127.0.0.1/#part' }],
    ['url', { url: 'http://127.0.0.1/#' }],
    ['url', { url: `http://127.0.0.1/${'x'.repeat(2_000)}` }],
    ['url', { url: 'https://10.0.0.1/' }],
    ['url', { url: 'http://169.254.169.254/latest/meta-data' }],
    ['url', { url: 'https://[fe80::1]/' }],
    ['url', { url: 'http://93.184.216.34/' }],
    ['url', { url: 'https://a.name.that.is.invalid/' }],
    ['events', { events: [] }],
    ['events', { events: 'call.settled' }],
    ['events.0', { events: ['call.started'] }],
    ['events', { events: ['call.settled', 'call.settled'] }],
    ['account', { account: 'nobody' }],
    ['metadata.tier', { metadata: { tier: 1 } }],
    ['metadata', { metadata: { tier: 'x'.repeat(9_000) } }],
    ['description', { description: 'x'.repeat(1_001) }],
    ['secret', { secret: 'mine' }],
  ])('with a wrong %s is refused: %o', async (field, wrong) => {
    await api.stop();
    const accounts = { has: (name: string) => name === 'default', fallback: null, all: () => [] };
    api = startApiServer({ url: database.url, options: { accounts } });
    const body = field === 'url' ? {} : { url: 'http://127.0.0.1:9/' };
    const given = { events: ['call.settled'], ...body, ...wrong };
    expect(await problemOf(ask('POST', '', given))).toEqual({
      status: 400,
      code: 'invalid_request',
      fields: [field],
    });
    expect((await ask('GET', '')).json).toEqual({ data: [] });
  });

  it('is one of 50 at most for an account', async () => {
    for (let made = 0; made < 50; made++) await create({ account: 'default' });
    const full = { status: 400, code: 'invalid_request', fields: ['account'] };
    const settings = { url: receiver.url, events: ['call.settled'] };
    expect(await problemOf(ask('POST', '', { ...settings, account: 'default' }))).toEqual(full);
    const ofAll = await create();
    expect(await problemOf(ask('PATCH', `/${ofAll.id}`, { account: 'default' }))).toEqual(full);
    await create({ account: 'another' });
  });

  it('is not made where there is nothing to sign with', async () => {
    await api.stop();
    const options = { secrets: null, webhooks: createWebhooks(database.pool, null) };
    api = startApiServer({ url: database.url, options });
    const problem = { status: 409, code: 'webhooks_not_configured', fields: [] };
    expect(await problemOf(ask('POST', '', { url: receiver.url, events: ['call.settled'] }))).toEqual(
      problem,
    );
  });

  it('whose name leads inside since it was made is refused at delivery', async () => {
    let address = '93.184.216.34';
    const resolve = async () => [{ address, family: 4 }];
    await api.stop();
    const targets = createTargets(readAllowance('elsewhere', []), { resolve });
    api = startApiServer({ url: database.url, options: { targets } });
    const { id } = await create({ url: 'https://rebound.example/hook' });
    address = '127.0.0.1';
    await pushing.stop();
    pushing = startPushing(database, { allow: 'elsewhere', resolve });
    pushing.sender().start();
    await live('one', 'success');
    await expect.poll(async () => (await deliveries(id)).data[0]?.attempts).toHaveLength(1);
    expect((await deliveries(id)).data[0]).toMatchObject({
      status: 'pending',
      attempts: [{ statusCode: null, error: '127.0.0.1 is not public, and WEBHOOKS_ALLOW does not name it' }],
    });
  });
});

describe('the secret', () => {
  it('is rotated: both sign for a day, and a receiver may have either', async () => {
    const { id, secret } = await create();
    pushing.sender().start();
    const { json } = await ask('POST', `/${id}/rotate`);
    const rotated = Value.Parse(ShownWebhookJson, json);
    expect(rotated.secret).not.toBe(secret);
    await live('one', 'success');
    await expect.poll(() => receiver.received).toHaveLength(1);
    expect(receiver.received[0]?.signature.split(' ')).toHaveLength(2);
    receiver.secret = rotated.secret;
    await live('two', 'success');
    await expect.poll(() => receiver.received).toHaveLength(2);
    expect(receiver.wrong).toEqual([]);
  });
});

describe('a test', () => {
  it('is sent at once, and answered with what the receiver said', async () => {
    const { id } = await create();
    receiver.answer = (_, response) => void response.writeHead(200).end('thanks');
    const { status, json } = await ask('POST', `/${id}/test`);
    expect(status).toBe(200);
    expect(json).toMatchObject({ delivered: true, statusCode: 200, answer: 'thanks', error: null });
    expect(receiver.received[0]?.body).toMatchObject({ type: 'webhook.test', data: { webhookId: id } });
    receiver.secret = (await create()).secret;
    expect((await ask('POST', `/${id}/test`)).json).toMatchObject({ delivered: false, statusCode: 401 });
  });
});

describe('deliveries', () => {
  it('are listed newest first, by status and page by page, with what each attempt brought', async () => {
    const { id } = await create({ events: ['call.transition', 'call.settled'] });
    receiver.answer = ({ body }, response) =>
      void response.writeHead(body.data.callSid === 'bad' ? 410 : 200).end('said');
    pushing.sender().start();
    await live('good', 'queued', 'success');
    await expect.poll(async () => (await deliveries(id, '?status=delivered')).data).toHaveLength(3);
    await live('bad', 'queued', 'failure');
    await expect.poll(async () => (await deliveries(id, '?status=failed')).data).toHaveLength(1);
    const { data } = await deliveries(id);
    expect(data[0]).toMatchObject({ callSid: 'bad' });
    expect(data.at(-1)).toMatchObject({
      callSid: 'good',
      event: 'call.transition',
      status: 'delivered',
      nextAttemptAt: null,
      attempts: [{ statusCode: 200, answer: 'said', error: null }],
    });
    expect(data.map(({ messageId }) => messageId)).toContain(receiver.received[0]?.id);
    const pages = [];
    for (let query: string | null = '?limit=2'; query !== null; ) {
      const page = await deliveries(id, query);
      pages.push(...page.data);
      query = page.nextCursor === null ? null : `?limit=2&cursor=${page.nextCursor}`;
    }
    expect(pages).toEqual(data);
    expect(await problemOf(ask('GET', `/${id}/deliveries?cursor=x`))).toMatchObject({ fields: ['cursor'] });
    expect(await problemOf(ask('GET', `/${id}/deliveries?status=new`))).toMatchObject({ fields: ['status'] });
  });

  it('are sent again with the id that they had', async () => {
    const { id } = await create();
    pushing.sender().start();
    await live('one', 'success');
    await expect.poll(async () => (await deliveries(id, '?status=delivered')).data).toHaveLength(1);
    const [delivered] = (await deliveries(id)).data;
    const { status, json } = await ask('POST', `/${id}/deliveries/${delivered?.id}/resend`);
    expect(status).toBe(202);
    expect(json).toMatchObject({ status: 'pending', messageId: delivered?.messageId });
    await expect.poll(() => receiver.received).toHaveLength(2);
    expect(new Set(receiver.received.map(({ id, text }) => `${id}${text}`)).size).toBe(1);
    await expect.poll(async () => (await deliveries(id)).data[0]?.attempts).toHaveLength(2);
  });

  it('go with their call, and 30 days after their end', async () => {
    const { id } = await create();
    const other = await create();
    pushing.sender().start();
    await live('old', 'success');
    await live('erased', 'success');
    await live('new', 'success');
    await expect.poll(async () => (await deliveries(other.id, '?status=delivered')).data).toHaveLength(3);
    const { statusCode } = await api.app.inject({ method: 'DELETE', url: '/v1/calls/erased' });
    expect(statusCode).toBe(204);
    await database.query(
      `update polykeep_internal.deliveries
          set created_at = now() - interval '31 days', finished_at = now() - interval '30 days 1 hour'
        where call_id = (select id from polykeep_internal.calls where call_sid = 'old')`,
    );
    await ask('DELETE', `/${other.id}`);
    await database.query(`update polykeep_internal.webhooks set deleted_at = deleted_at - interval '1 hour'
                           where deleted_at is not null`);
    const retention = createDeliveryRetention({
      pool: database.pool,
      everyMs: 1,
      clock: systemClock,
      log,
      batchSize: 1,
    });
    expect(await retention.deleteOld(new AbortController().signal)).toBe(3);
    expect((await deliveries(id)).data.map(({ callSid }) => callSid)).toEqual(['new']);
    expect(await database.query('select from polykeep_internal.deliveries')).toHaveLength(1);
    expect(await database.query('select from polykeep_internal.webhooks')).toHaveLength(1);
  });
});

describe('a replay', () => {
  const hour = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString();

  it('sends all of its span again, also what was never told, in order and with the same ids', async () => {
    const { id } = await create({ events: ['call.transition', 'call.settled'] });
    pushing.sender().start();
    const replayer = createRounds({
      name: 'replays',
      work: (signal) => takeReplaySteps(database.pool, () => {}, signal),
      everyMs: 10,
      clock: systemClock,
      log,
    });
    replayer.start();
    await live('told', 'queued', 'success');
    await expect.poll(async () => (await deliveries(id, '?status=delivered')).data).toHaveLength(3);
    await ask('PATCH', `/${id}`, { enabled: false });
    await live('untold', 'queued', 'calling', 'failure');
    await live('open', 'queued');
    await ask('PATCH', `/${id}`, { enabled: true });
    const ids = receiver.received.splice(0).map(({ id }) => id);
    const { status, json } = await ask('POST', `/${id}/replay`, { from: hour(-1) });
    expect({ status, json }).toEqual({ status: 202, json: { deliveries: 8 } });
    await expect.poll(() => receiver.received).toHaveLength(8);
    await replayer.stop();
    const of = (callSid: string) => receiver.received.filter(({ body }) => body.data.callSid === callSid);
    expect(of('told').map(({ id }) => id)).toEqual(ids);
    expect(of('untold').map(({ body }) => body.data.seq ?? body.data.outcome)).toEqual([1, 2, 3, 'failure']);
    expect(of('open')).toHaveLength(1);
    expect((await ask('POST', `/${id}/replay`, { from: hour(-3), to: hour(-2) })).json).toEqual({
      deliveries: 0,
    });
    expect(await database.query('select from polykeep_internal.replays')).toEqual([]);
  });

  it.each([
    ['from', {}],
    ['from', { from: 'yesterday' }],
    ['from', { from: hour(1) }],
    ['from', { from: hour(-1), to: hour(-2) }],
    ['from', { from: hour(-32 * 24) }],
    ['to', { from: hour(-1), to: 'now' }],
    ['until', { from: hour(-1), until: hour(0) }],
  ])('with a wrong %s is refused: %o', async (field, body) => {
    const { id } = await create();
    expect(await problemOf(ask('POST', `/${id}/replay`, body))).toMatchObject({
      status: 400,
      fields: [field],
    });
  });
});
