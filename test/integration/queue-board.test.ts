import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { readApiKeys } from '../../src/api/door/api-keys.ts';
import { type BullmqCallQueue, createBullmqQueue } from '../../src/queue/bullmq.ts';
import { createInProcessQueue } from '../../src/queue/in-process.ts';
import { type ApiServer, startApiServer } from '../support/api-server.ts';
import { silentLog as log } from '../support/log.ts';
import { type TcpProxy, tcpProxy } from '../support/tcp-proxy.ts';

const READ = 'the-key-that-may-read';
const WRITE = 'the-key-that-may-write';
const CALLS = 30;
const apiKeys = readApiKeys(`bi:read:${READ},ops:write:${WRITE}`, []);

let redis: TcpProxy;
let queue: BullmqCallQueue;
let server: ApiServer;
let app: FastifyInstance;

beforeAll(async () => {
  redis = await tcpProxy(inject('redisUrl'));
  queue = createBullmqQueue({
    redisUrl: redis.url,
    prefix: `test-${randomUUID()}`,
    concurrency: 100,
    yieldAfterMs: 60_000,
    log,
  });
  await queue.enqueue(Array.from({ length: CALLS }, (_, index) => `OUT-${index}`));
  server = startApiServer({
    url: inject('postgresUrl'),
    newsUrl: null,
    options: { queue, jobs: queue.jobs, apiKeys },
  });
  app = server.app;
});

afterAll(async () => {
  await server.stop();
  await queue.close();
  await redis.close();
});

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const basic = (key: string) => ({ authorization: `Basic ${Buffer.from(`me:${key}`).toString('base64')}` });
const ask = (url: string, headers: Record<string, string> = bearer(WRITE)) => app.inject({ url, headers });
const jobs = async (query: string) => (await ask(`/queues/api/queues?activeQueue=calls&${query}`)).json();

describe('the queue board', () => {
  it.each([
    '/queues',
    '/queues/',
    '/queues/queue/calls',
    '/queues/api/queues',
    '/queues/static/images/logo.svg',
  ])('opens %s for a key that may write alone, as a bearer or as a password', async (url) => {
    const refused = await ask(url, {});
    expect(refused.statusCode).toBe(401);
    expect(refused.headers['www-authenticate']).toMatch(/^Basic /);
    for (const send of [bearer, basic]) {
      expect((await ask(url, send(READ))).statusCode).toBe(403);
      expect((await ask(url, send('a-key-that-is-none'))).statusCode).toBe(401);
      const answer = await ask(url, send(WRITE));
      expect(answer.statusCode).toBe(200);
      expect(answer.headers['content-security-policy']).toMatch(/script-src 'self';.*frame-ancestors 'none'/);
    }
    for (const headers of [{}, bearer(READ)]) {
      const { headers: answered } = await ask(url, headers);
      expect(answered['content-type']).toMatch(/^application\/problem\+json/);
    }
  });

  it('shows a page of the calls, with no more of them than their callSid', async () => {
    const { queues } = await jobs('status=waiting&page=2&jobsPerPage=10');
    expect(queues).toMatchObject([
      { name: 'calls', readOnlyMode: true, counts: { waiting: CALLS }, pagination: { pageCount: 3 } },
    ]);
    expect(queues[0].jobs).toHaveLength(10);
    for (const { data } of queues[0].jobs) {
      expect(data).toEqual({ callSid: expect.stringMatching(/^OUT-\d+$/), handedOn: null });
    }
    const many = await ask('/queues/api/queues?activeQueue=calls&status=waiting&jobsPerPage=100000');
    expect(many.statusCode).toBe(400);
  });

  it('changes nothing, whoever asks it to', async () => {
    const asked = [
      ['PUT', '/queues/pause'],
      ['PUT', '/queues/calls/pause'],
      ['PUT', '/queues/calls/empty'],
      ['PUT', '/queues/calls/obliterate'],
      ['PUT', '/queues/calls/clean/waiting'],
      ['PUT', '/queues/calls/concurrency', { concurrency: 1 }],
      ['PUT', '/queues/calls/rate-limit', { max: 1, duration: 1000 }],
      ['PUT', '/queues/calls/OUT-1/clean'],
      ['POST', '/queues/calls/add', { name: 'x', data: {}, options: {} }],
      ['PATCH', '/queues/calls/OUT-1/update-data', { jobData: {} }],
    ] as const;
    const before = await jobs('status=waiting');
    for (const [method, path, payload = {}] of asked) {
      await app.inject({ method, url: `/queues/api${path}`, headers: bearer(WRITE), payload });
    }
    const after = await jobs('status=waiting');
    expect(after).toEqual(before);
  });

  it('says while Redis is away that it is', async () => {
    await redis.cut();
    const answer = await ask('/queues/api/queues');
    expect(answer.statusCode).toBe(503);
    expect(answer.json()).toMatchObject({ code: 'queue_unavailable' });
    await redis.mend();
    await expect.poll(async () => (await ask('/queues/api/queues')).statusCode).toBe(200);
  });
});

it('without Redis there is no board', async () => {
  const inProcess = createInProcessQueue({ concurrency: 1, yieldAfterMs: 1_000 });
  const other = startApiServer({
    url: inject('postgresUrl'),
    newsUrl: null,
    options: { queue: inProcess, apiKeys },
  });
  for (const url of ['/queues', '/queues/api/queues']) {
    const answer = await other.app.inject({ url, headers: bearer(WRITE) });
    expect(answer.statusCode).toBe(404);
    expect(answer.json()).toMatchObject({
      code: 'route_not_found',
      detail: expect.stringMatching(/without REDIS_URL/),
    });
  }
  await other.stop();
  await inProcess.close();
});
