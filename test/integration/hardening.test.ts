import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiServer, startApiServer } from '../support/api-server.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let server: ApiServer;
let app: FastifyInstance;
let url: string;

beforeAll(async () => {
  database = await createDatabase();
  server = startApiServer({ url: database.url });
  app = server.app;
  url = await app.listen({ port: 0, host: '127.0.0.1' });
});

afterAll(async () => {
  await server.stop();
  await database.drop();
});

/** A connection on which a text has been sent, and all that comes back until its end. */
async function send(text: string): Promise<{ socket: Socket; answer: Promise<string> }> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  const answer = (async () => {
    let all = '';
    for await (const chunk of socket) all += chunk;
    return all;
  })();
  await once(socket, 'connect');
  socket.write(text);
  return { socket, answer };
}

const problemIn = (answer: string): unknown => JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')));

describe('every answer', () => {
  it.each(['/health/live', '/metrics', '/v1/calls', '/v1/calls?limit=0', '/v1/calls/none', '/nowhere'])(
    'says of %s that nothing in it is to be run, guessed, framed or shared',
    async (path) => {
      const { headers } = await app.inject(path);
      expect(headers).toMatchObject({
        'content-security-policy': "default-src 'none';frame-ancestors 'none'",
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
      });
      expect(headers).not.toHaveProperty('strict-transport-security');
    },
  );
});

describe('an event loop that is late', () => {
  const late = new Int32Array(new SharedArrayBuffer(4));

  it('has requests refused until it is not, but for those that ask how the process is', async () => {
    const blocking = setInterval(() => Atomics.wait(late, 0, 0, 1_200), 0);
    try {
      await expect.poll(async () => (await app.inject('/v1/calls')).statusCode).toBe(503);
      const [refused, ofDropIn, ...probes] = await Promise.all(
        ['/v1/calls', '/v1/outbound-calling/OUT-1/status', '/health/live', '/health/ready', '/metrics'].map(
          (path) => app.inject(path),
        ),
      );
      expect(refused?.json()).toMatchObject({ status: 503, code: 'overloaded' });
      expect(refused?.headers['content-type']).toMatch(/^application\/problem\+json/);
      expect(refused?.headers['retry-after']).toBe('5');
      expect(ofDropIn?.statusCode).toBe(503);
      expect(ofDropIn?.headers['retry-after']).toBe('5');
      for (const probe of probes) expect(probe.statusCode).toBe(200);
    } finally {
      clearInterval(blocking);
    }
    await expect.poll(async () => (await app.inject('/v1/calls')).statusCode).toBe(200);
  });
});

describe('a connection', () => {
  it('with headers over 16 KB is told so, as a problem', async () => {
    const { answer } = await send(
      `GET /v1/calls HTTP/1.1\r\nHost: localhost\r\nX-Much: ${'x'.repeat(20_000)}\r\n\r\n`,
    );
    expect(await answer).toMatch(/^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/);
    expect(problemIn(await answer)).toMatchObject({ status: 431, code: 'headers_too_large' });
  });

  it('that was told so is closed, also where its client keeps it open', async () => {
    const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => {}).resume();
    const closed = once(app.server, 'connection').then(([accepted]) => once(accepted, 'close'));
    socket.write('hello\r\n\r\n');
    await closed;
    socket.destroy();
  });

  it('that speaks no HTTP is told so, as a problem', async () => {
    const { answer } = await send('hello\r\n\r\n');
    expect(problemIn(await answer)).toMatchObject({ status: 400, code: 'invalid_request' });
  });

  it('on which a request comes in too slowly is ended; one whose answer takes long is not', async () => {
    expect(app.server).toMatchObject({ requestTimeout: 60_000, headersTimeout: 20_000 });
    Object.assign(app.server, { requestTimeout: 200, headersTimeout: 200 });
    const slow = 'POST /v1/calls HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
    const slowHeaders = await send(slow);
    const slowBody = await send(`${slow}Content-Length: 100\r\n\r\n{"call`);
    await server.registrar.register({ callSid: 'held', account: 'default', metadata: {} });
    const held = request(`${url}/v1/calls/held?wait=60`);
    for (const { answer } of [slowHeaders, slowBody]) {
      expect(await answer).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
      expect(problemIn(await answer)).toMatchObject({ status: 408, code: 'request_timeout' });
    }
    expect(server.waiting.held).toBe(1);
    server.waiting.close();
    const answer = await held;
    expect(answer.statusCode).toBe(200);
    await answer.body.dump();
  });
});

describe('a body over 1 MB', () => {
  it.each(['/v1/calls', '/v1/calls/batch', '/v1/outbound-calling', '/v1/agents/a/telephony/outbound-calls'])(
    'is refused by %s, whatever it is',
    async (path) => {
      const headers = { 'content-type': 'application/json' };
      const { statusCode } = await app.inject({
        method: 'POST',
        url: path,
        headers,
        payload: 'x'.repeat(1_048_577),
      });
      expect(statusCode).toBe(413);
    },
  );
});

describe('what clients send that is not quite right', () => {
  it.each(['registeredFrom', 'settledTo'])(
    'a + of the time %s that arrives as a space is understood',
    async (name) => {
      const answer = await app.inject(`/v1/calls?${name}=2026-11-01T00:00:00+01:00`);
      expect(answer.statusCode).toBe(200);
      const wrong = await app.inject(`/v1/calls?${name}=2026-11-01+00:00:00+01:00`);
      expect(wrong.statusCode).toBe(400);
    },
  );

  it('of a time that is one: from where it says', async () => {
    await server.registrar.register({ callSid: 'timed', account: 'default', metadata: {} });
    const hour = 3_600_000;
    const at = new Date(Date.now() - hour / 2);
    const inZone = (offset: string, ms: number) =>
      new Date(at.getTime() + ms).toISOString().replace('Z', offset);
    const found = async (time: string) =>
      (await app.inject(`/v1/calls?callSidPrefix=timed&registeredFrom=${time}`)).json().data.length;
    expect(await found(inZone('+01:00', hour))).toBe(1);
    expect(await found(inZone('+01:00', 2 * hour))).toBe(0);
  });

  it('a DELETE with a JSON type and no body', async () => {
    const headers = { 'content-type': 'application/json' };
    expect((await app.inject({ method: 'DELETE', url: '/v1/calls/nobody', headers })).statusCode).toBe(404);
    const withoutBody = await app.inject({ method: 'POST', url: '/v1/calls', headers });
    expect(withoutBody.statusCode).toBe(400);
  });

  it.each(['gzip', 'br', 'snappy'])('a body in %s is refused with 415', async (encoding) => {
    const headers = { 'content-type': 'application/json', 'content-encoding': encoding };
    const answer = await app.inject({ method: 'POST', url: '/v1/calls', headers, body: '{"callSid":"a"}' });
    expect(answer.statusCode).toBe(415);
    expect(answer.headers['accept-encoding']).toBe('identity');
    expect(answer.json()).toMatchObject({ errors: [{ field: 'content-encoding' }] });
    const plain = { ...headers, 'content-encoding': 'identity' };
    const taken = await app.inject({
      method: 'POST',
      url: '/v1/calls',
      headers: plain,
      body: '{"callSid":"a"}',
    });
    expect(taken.statusCode).toBeLessThan(300);
  });
});
