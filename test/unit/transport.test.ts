import { once } from 'node:events';
import { constants, Http2ServerRequest, type Http2Session, type ServerHttp2Stream } from 'node:http2';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { AnswerLimits } from '../../src/polyai/answer.ts';
import { ConnectionPool, OutgoingRequest } from '../../src/polyai/connections.ts';
import { Transport } from '../../src/polyai/transport.ts';
import { cutOff, startWebServer, type WebRequest, type WebResponse } from '../../src/simulator/web-server.ts';
import { makeCertificate } from '../support/certificate.ts';
import { PROTOCOLS } from '../support/protocols.ts';

const LIMITS: AnswerLimits = { timeoutMs: 10_000, maxBytes: 1_000 };
/** Requests that share a connection over HTTP/2. */
const SHARED_BY = 16;
const LARGE = 'x'.repeat(1_001);

type Listener = (request: WebRequest, response: WebResponse) => void;

function answer(response: WebResponse, code: number, headers: object, body: string | Buffer): void {
  response.statusCode = code;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(body);
}

describe.each(PROTOCOLS)('over $name', ({ tls, allowH2 }) => {
  async function transportTo(listener: Listener, connections = 1): Promise<Transport> {
    const server = await startWebServer({ host: '127.0.0.1', port: 0, tls }, listener);
    const pool = new ConnectionPool(server.url, connections, { timeoutMs: LIMITS.timeoutMs, allowH2 });
    onTestFinished(async () => {
      await pool.destroy();
      await server.stop();
    });
    return new Transport(pool);
  }

  function ask(transport: Transport, limits: Partial<AnswerLimits> = {}, signal?: AbortSignal, path = '/') {
    return transport.ask(new OutgoingRequest('GET', path, {}), { ...LIMITS, ...limits }, signal);
  }

  it('an answer in many pieces comes whole, with what its headers say', async () => {
    const transport = await transportTo((_request, response) => {
      response.statusCode = 429;
      response.setHeader('content-type', 'text/plain');
      response.setHeader('retry-after', '7');
      response.write('one ');
      setImmediate(() => response.end('two'));
    });
    expect(await ask(transport)).toEqual({
      statusCode: 429,
      contentType: 'text/plain',
      retryAfter: '7',
      retryAfterMs: 7_000,
      body: Buffer.from('one two'),
    });
  });

  it.each([
    ['as it is', {}, LARGE],
    ['only once it is decompressed', { 'content-encoding': 'GZIP' }, gzipSync(LARGE)],
  ])('a 200 that is too large %s is malformed', async (_how, headers, body) => {
    const transport = await transportTo((_request, response) => answer(response, 200, headers, body));
    await expect(ask(transport)).rejects.toMatchObject({
      code: 'malformed',
      message: 'a body of over 1000 bytes',
    });
  });

  it.each([
    ['as it is', {}, LARGE],
    ['only once it is decompressed', { 'content-encoding': 'gzip' }, gzipSync(LARGE)],
  ])('an error that is too large %s keeps its status', async (_how, headers, body) => {
    const transport = await transportTo((_request, response) => answer(response, 401, headers, body));
    expect(await ask(transport)).toMatchObject({ statusCode: 401, body: Buffer.alloc(0) });
  });

  it.each([
    ['is cut short', gzipSync('{}').subarray(0, -4)],
    ['is none', Buffer.from('{}')],
  ])('a compressed body that %s is no whole answer', async (_how, body) => {
    const transport = await transportTo((_request, response) =>
      answer(response, 200, { 'content-encoding': 'gzip' }, body),
    );
    await expect(ask(transport)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('the time limit counts from asking for a connection, and what was not asked in time never is', async () => {
    const asked: (string | undefined)[] = [];
    const answers: (() => void)[] = [];
    const transport = await transportTo((request, response) => {
      if (request.url === '/') return answer(response, 200, {}, '');
      asked.push(request.url);
      answers.push(() => response.end());
    });
    // From here on it is known that the server speaks HTTP/2, if it does.
    await ask(transport);
    const room = tls?.http2 ? SHARED_BY : 1;
    const first = Array.from({ length: room }, () => ask(transport, {}, undefined, '/first'));
    await expect.poll(() => answers.length).toBe(room);
    await expect(ask(transport, { timeoutMs: 50 }, undefined, '/late')).rejects.toMatchObject({
      code: 'unavailable',
      message: 'no whole answer within 50 ms',
    });
    const last = ask(transport, {}, undefined, '/last');
    for (const end of answers.splice(0)) end();
    await Promise.all(first);
    await expect.poll(() => answers.length).toBe(1);
    answers.shift()?.();
    await last;
    expect(new Set(asked)).toEqual(new Set(['/first', '/last']));
  });

  it('an answer that comes after an abort counts; without one the reason is thrown', async () => {
    const answers: (() => void)[] = [];
    const transport = await transportTo((_request, response) => {
      answers.push(() => response.end('{}'));
    }, 2);
    const ending = new AbortController();
    const answered = ask(transport, {}, ending.signal);
    const silent = ask(transport, {}, ending.signal);
    await expect.poll(() => answers.length).toBe(2);
    const reason = new Error('the end');
    ending.abort(reason);
    answers.shift()?.();
    const results = await Promise.allSettled([answered, silent]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await expect(ask(transport, {}, ending.signal)).rejects.toBe(reason);
  });

  it.each([{ byReset: true }, { byReset: false }])(
    'an answer that is broken off is no whole one, and the next is read ($byReset)',
    async (how) => {
      let isCut = true;
      const transport = await transportTo((request, response) => {
        if (!isCut) return answer(response, 200, {}, '{}');
        isCut = false;
        response.setHeader('content-length', 10);
        response.write('12', () => cutOff(request, how));
      });
      await expect(ask(transport)).rejects.toMatchObject({ code: 'unavailable' });
      expect(await ask(transport)).toMatchObject({ statusCode: 200, body: Buffer.from('{}') });
    },
  );

  it('what comes before the answer (100 Continue, 103 Early Hints) is passed over', async () => {
    const transport = await transportTo((_request, response) => {
      response.writeContinue();
      response.writeContinue();
      response.writeEarlyHints({ link: '</style.css>; rel=preload' });
      answer(response, 200, {}, '{}');
    });
    for (let n = 0; n < 3; n++) {
      expect(await ask(transport)).toMatchObject({ statusCode: 200, body: Buffer.from('{}') });
    }
  });

  it('a connection that something between has forgotten costs each request on it a time-out, and no more', async () => {
    const server = await startWebServer({ host: '127.0.0.1', port: 0, tls }, (_request, response) =>
      answer(response, 200, {}, '{}'),
    );
    const pool = new ConnectionPool(server.url, 8, { timeoutMs: LIMITS.timeoutMs, allowH2 });
    onTestFinished(async () => {
      await pool.destroy();
      await server.stop();
    });
    const transport = new Transport(pool);
    const answered = async (limits = {}) => {
      const asked = await Promise.allSettled(Array.from({ length: 60 }, () => ask(transport, limits)));
      return asked.filter(({ status }) => status === 'fulfilled').length;
    };
    expect(await answered()).toBe(60);
    expect(await answered()).toBe(60);
    server.freezeConnections();
    // The first on each connection time out, and those behind them but for what a connection made anew still takes.
    expect(await answered({ timeoutMs: 1_000 })).toBeLessThanOrEqual(60 - 8);
    expect(await answered()).toBe(60);
  });

  it('an answer that stops half-way is no whole one, and the connection is left', async () => {
    const seen: WebRequest[] = [];
    const transport = await transportTo((request, response) => {
      seen.push(request);
      response.setHeader('content-length', 10);
      if (seen.length === 1) response.write('12');
      else answer(response, 200, {}, '0123456789');
    });
    await expect(ask(transport, { timeoutMs: 300 })).rejects.toMatchObject({ code: 'unavailable' });
    expect(await ask(transport)).toMatchObject({ statusCode: 200 });
  });
});

describe('over HTTP/2', () => {
  const tls = PROTOCOLS.find((protocol) => protocol.tls?.http2)?.tls;

  type OverHttp2 = (request: Http2ServerRequest, response: WebResponse) => void;

  /** To a server that is known to speak it. */
  async function transportOver(onRequest: OverHttp2, atOnce = 1): Promise<Transport> {
    const server = await startWebServer({ host: '127.0.0.1', port: 0, tls }, (request, response) => {
      if (!(request instanceof Http2ServerRequest)) throw new Error('not over HTTP/2');
      if (request.url === '/warm-up') answer(response, 200, {}, '');
      else onRequest(request, response);
    });
    const pool = new ConnectionPool(server.url, atOnce, { timeoutMs: 10_000, allowH2: true });
    onTestFinished(async () => {
      await pool.destroy();
      await server.stop();
    });
    const transport = new Transport(pool);
    await transport.ask(new OutgoingRequest('GET', '/warm-up', {}), LIMITS);
    return transport;
  }

  /** The sessions that requests came over, in their order; `act` is what becomes of the first request. */
  async function start(act: (stream: ServerHttp2Stream) => void) {
    const sessions: (Http2Session | undefined)[] = [];
    const transport = await transportOver(({ stream }, response) => {
      sessions.push(stream.session);
      if (sessions.length === 1) act(stream);
      else answer(response, 200, {}, '{}');
    });
    const ask = () => transport.ask(new OutgoingRequest('GET', '/', {}), { ...LIMITS, timeoutMs: 1_000 });
    return { ask, sessions };
  }

  it('a server that answers pings alone is as silent as one that is gone', async () => {
    const { ask, sessions } = await start((stream) => {
      const pinging = setInterval(() => stream.session?.ping(() => {}), 20);
      stream.session?.once('close', () => clearInterval(pinging));
    });
    await expect(ask()).rejects.toMatchObject({ code: 'unavailable', message: /1000 ms/ });
    expect(await ask()).toMatchObject({ statusCode: 200 });
    expect(sessions[1]).not.toBe(sessions[0]);
  });

  it('a connection that the server takes leave of (GOAWAY) is replaced', async () => {
    const { ask, sessions } = await start((stream) => stream.session?.goaway());
    expect(await ask()).toMatchObject({ statusCode: 200 });
    sessions[1]?.goaway();
    await sleep(100);
    expect(await ask()).toMatchObject({ statusCode: 200 });
    expect(new Set(sessions).size).toBe(3);
  });

  it('what is under way when the server takes leave is asked again, once', async () => {
    const listeners = { leaving: new Set<Http2Session>(), isAlwaysLeaving: false };
    const asked: string[] = [];
    const transport = await transportOver(({ stream, url }, response) => {
      asked.push(url);
      if (stream.session === undefined) return;
      const { leaving, isAlwaysLeaving } = listeners;
      const leaves = isAlwaysLeaving || leaving.size === 0 || leaving.has(stream.session);
      if (leaves) leaving.add(stream.session);
      if (leaves && (isAlwaysLeaving || asked.length === 10)) stream.session.goaway();
      else if (!leaves) answer(response, 200, {}, '{}');
    });
    const ask = (path: string) => transport.ask(new OutgoingRequest('GET', path, {}), LIMITS);
    const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => ask(`/${n}`)));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual(Array.from({ length: 10 }, () => 200));
    expect(asked).toHaveLength(20);
    listeners.isAlwaysLeaving = true;
    await expect(ask('/never')).rejects.toMatchObject({ code: 'unavailable', message: /GOAWAY/ });
    expect(asked.filter((path) => path === '/never')).toHaveLength(2);
  });

  it('a request that has no answer times out alone, while others over its connection are answered', async () => {
    const sessions = new Set<Http2Session | undefined>();
    const transport = await transportOver(({ stream, url }, response) => {
      sessions.add(stream.session);
      if (url !== '/silent') answer(response, 200, {}, '{}');
    });
    const ask = (path: string, timeoutMs: number) =>
      transport.ask(new OutgoingRequest('GET', path, {}), { ...LIMITS, timeoutMs });
    await ask('/first', 10_000);
    const silent = expect(ask('/silent', 500)).rejects.toMatchObject({ message: /500 ms/ });
    await ask('/beside', 10_000);
    await silent;
    await ask('/after', 10_000);
    expect(sessions.size).toBe(1);
  });

  it('requests share connections', async () => {
    const sessions = new Set<Http2Session | undefined>();
    const transport = await transportOver(({ stream }, response) => {
      sessions.add(stream.session);
      setTimeout(() => answer(response, 200, {}, '{}'), 20);
    }, 10 * SHARED_BY);
    const asked = Array.from({ length: 500 }, () =>
      transport.ask(new OutgoingRequest('GET', '/', {}), LIMITS),
    );
    await Promise.all(asked);
    expect(sessions.size).toBeLessThanOrEqual(10);
  });

  it('a request whose stream is reset fails alone, and its connection is kept', async () => {
    for (const code of [
      constants.NGHTTP2_REFUSED_STREAM,
      constants.NGHTTP2_CANCEL,
      constants.NGHTTP2_INTERNAL_ERROR,
    ]) {
      const { ask, sessions } = await start((stream) => stream.close(code));
      await expect(ask()).rejects.toMatchObject({ code: 'unavailable' });
      expect(await ask()).toMatchObject({ statusCode: 200 });
      expect(sessions[1]).toBe(sessions[0]);
    }
  });
});

it('where the server speaks HTTP/2 no more, each request has a connection of its own again, for good', async () => {
  const [overHttp1, overHttp2] = [false, true].map(
    (http2) => PROTOCOLS.find(({ tls }) => tls !== undefined && tls.http2 === http2)?.tls,
  );
  const AT_ONCE = 40;
  const under: (() => void)[] = [];
  const onRequest = ({ url }: WebRequest, response: WebResponse) => {
    if (url === '/at-once') answer(response, 200, {}, '');
    else under.push(() => answer(response, 200, {}, ''));
  };
  const first = await startWebServer({ host: '127.0.0.1', port: 0, tls: overHttp2 }, onRequest);
  const pool = new ConnectionPool(first.url, AT_ONCE, { timeoutMs: 10_000, allowH2: true });
  const transport = new Transport(pool);
  const ask = (path: string) => transport.ask(new OutgoingRequest('GET', path, {}), LIMITS);
  for (let n = 0; n < 2; n++) await ask('/at-once');
  await first.stop();
  const port = Number(new URL(first.url).port);
  for (const tls of [overHttp1, overHttp2]) {
    const server = await startWebServer({ host: '127.0.0.1', port, tls }, onRequest);
    await expect
      .poll(() =>
        ask('/at-once').then(
          ({ statusCode }) => statusCode,
          () => 0,
        ),
      )
      .toBe(200);
    const asked = Promise.all(Array.from({ length: AT_ONCE }, () => ask('/')));
    await expect.poll(() => under.length).toBe(AT_ONCE);
    for (const end of under.splice(0)) end();
    await asked;
    await server.stop();
  }
  await pool.destroy();
});

describe('where nothing was sent the failure is "unreachable"', () => {
  async function failureOf(url: string) {
    const pool = new ConnectionPool(url, 1, { timeoutMs: 1_000, allowH2: false });
    onTestFinished(() => pool.destroy());
    const asked = new Transport(pool).ask(new OutgoingRequest('GET', '/', {}), LIMITS);
    return asked.catch((error: unknown) => error);
  }

  it('nobody listens', async () => {
    expect(await failureOf('http://127.0.0.1:9')).toMatchObject({
      code: 'unreachable',
      message: 'ECONNREFUSED 127.0.0.1:9',
    });
  });

  it('the host is misspelt', async () => {
    expect(await failureOf('http://nowhere.invalid')).toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN) nowhere.invalid$/),
    });
  });

  it('the certificate is not trusted', async () => {
    const tls = { ...(await makeCertificate()), http2: false };
    const server = await startWebServer({ host: '127.0.0.1', port: 0, tls }, () => {});
    onTestFinished(() => server.stop());
    expect(await failureOf(server.url)).toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(/^DEPTH_ZERO_SELF_SIGNED_CERT|^SELF_SIGNED_CERT_IN_CHAIN/),
    });
  });

  it('the TLS handshake has no end', async () => {
    const server = createServer(() => {}).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : null;
    expect(await failureOf(`https://127.0.0.1:${port}`)).toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(/^UND_ERR_CONNECT_TIMEOUT/),
    });
  });
});

/** Answers in a thread of its own, which goes on while the process is held up: once it is, and says when it has. */
const ELSEWHERE = `
const { parentPort, workerData } = require('node:worker_threads');
const server = require('node:http').createServer((request, response) => {
  if (request.url === '/') return response.end('{}');
  Atomics.store(workerData, 0, 1);
  Atomics.wait(workerData, 1, 0);
  response.end('{}', () => { Atomics.store(workerData, 2, 1); Atomics.notify(workerData, 2); });
});
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));`;

it('an answer that came while the process was held up is taken, though its time is over', async () => {
  const [received, heldUp, answered] = [0, 1, 2];
  const shared = new Int32Array(new SharedArrayBuffer(12));
  const server = new Worker(ELSEWHERE, { eval: true, workerData: shared });
  const [port] = await once(server, 'message');
  const pool = new ConnectionPool(`http://127.0.0.1:${port}`, 1, { timeoutMs: 30_000, allowH2: false });
  onTestFinished(async () => {
    await pool.destroy();
    await server.terminate();
  });
  const transport = new Transport(pool);
  const ask = (path: string, timeoutMs: number) =>
    transport.ask(new OutgoingRequest('GET', path, {}), { ...LIMITS, timeoutMs });
  await ask('/', 30_000);
  const late = ask('/late', 3_000);
  const begunAt = performance.now();
  // After an immediate timers come next, before what there is to read.
  while (Atomics.load(shared, received) === 0) await new Promise(setImmediate);
  Atomics.store(shared, heldUp, 1);
  Atomics.notify(shared, heldUp);
  Atomics.wait(shared, answered, 0);
  Atomics.wait(shared, received, 1, begunAt + 3_500 - performance.now());
  expect(await late).toMatchObject({ statusCode: 200 });
});
