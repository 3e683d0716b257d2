import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { guard } from '../../src/api/access.ts';
import { handleError, ProblemError, sendProblem } from '../../src/api/problem.ts';
import { readApiKeys } from '../../src/api-keys.ts';

const READ = 'the-key-that-may-read';
const WRITE = 'the-key-that-may-write';

let app: FastifyInstance;
const done = async () => ({ ok: true });

function serverWith(keys: string | null): FastifyInstance {
  const server = fastify();
  server.setErrorHandler(handleError);
  server.setNotFoundHandler((_, reply) =>
    sendProblem(reply, new ProblemError(404, 'route_not_found', 'no route')),
  );
  guard(server, keys === null ? [] : readApiKeys(keys, []));
  server.get('/open', { config: { access: 'open' } }, done);
  server.get('/local', { config: { access: 'local' } }, done);
  server.get('/front', { config: { access: 'front' } }, async ({ apiKey }) => ({
    key: apiKey?.name ?? null,
  }));
  server.get('/calls', done);
  server.post('/calls', done);
  return server;
}

beforeAll(() => {
  app = serverWith(`bi:read:${READ},web:write:${WRITE}`);
});

afterAll(() => app.close());

const ask = (method: 'GET' | 'POST' | 'HEAD', url: string, key?: string, remoteAddress = '10.0.0.9') =>
  app.inject({
    method,
    url,
    remoteAddress,
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
  });
const statusOf = async (...asked: Parameters<typeof ask>) => (await ask(...asked)).statusCode;

describe('with API keys', () => {
  it('a key of its scope opens a route', async () => {
    expect(await statusOf('GET', '/calls', READ)).toBe(200);
    expect(await statusOf('HEAD', '/calls', READ)).toBe(200);
    expect(await statusOf('GET', '/calls', WRITE)).toBe(200);
    expect(await statusOf('POST', '/calls', WRITE)).toBe(200);
  });

  it('a key that may only read does not write', async () => {
    const answer = await ask('POST', '/calls', READ);
    expect(answer.statusCode).toBe(403);
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(answer.json()).toMatchObject({
      code: 'forbidden',
      detail: 'authorization: the key bi may only read',
    });
  });

  it.each([
    ['none', undefined],
    ['another', 'the-key-that-is-none'],
    ['an empty one', ''],
  ])('%s opens nothing', async (_, key) => {
    for (const [method, url] of [
      ['GET', '/calls'],
      ['POST', '/calls'],
      ['GET', '/nowhere'],
    ] as const) {
      const answer = await ask(method, url, key, '127.0.0.1');
      expect(answer.statusCode).toBe(401);
      expect(answer.headers['www-authenticate']).toBe('Bearer');
      expect(answer.json()).toMatchObject({ code: 'unauthorized' });
    }
  });

  it('health is open to all, metrics to this machine', async () => {
    expect(await statusOf('GET', '/open')).toBe(200);
    expect(await statusOf('GET', '/local')).toBe(401);
    expect(await statusOf('GET', '/local', READ)).toBe(200);
    for (const local of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
      expect(await statusOf('GET', '/local', undefined, local)).toBe(200);
    }
  });

  it('the front lets in whom it will, and knows the key', async () => {
    expect((await ask('GET', '/front')).json()).toEqual({ key: null });
    expect((await ask('GET', '/front', WRITE)).json()).toEqual({ key: 'web' });
  });
});

it('without keys every caller is let in: the configuration sees to it that only this machine can call', async () => {
  const server = serverWith(null);
  expect((await server.inject({ method: 'POST', url: '/calls' })).statusCode).toBe(200);
  await server.close();
});
