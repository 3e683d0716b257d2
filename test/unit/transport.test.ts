import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { gzipSync } from 'node:zlib';
import { Pool } from 'undici';
import { expect, it, onTestFinished } from 'vitest';
import type { AnswerLimits } from '../../src/polyai/answer.ts';
import { Transport } from '../../src/polyai/transport.ts';

const LIMITS: AnswerLimits = { timeoutMs: 10_000, maxBytes: 1_000 };
const LARGE = 'x'.repeat(1_001);

async function poolTo(listener: RequestListener, connections = 1): Promise<Pool> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : null;
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections });
  onTestFinished(async () => {
    await pool.destroy();
    server.closeAllConnections();
    server.close();
  });
  return pool;
}

function ask(pool: Pool, limits: Partial<AnswerLimits> = {}, signal?: AbortSignal, path = '/') {
  return new Transport(pool).ask({ method: 'GET', path, headers: {} }, { ...LIMITS, ...limits }, signal);
}

it('an answer in many pieces comes whole, with what its headers say', async () => {
  const pool = await poolTo((_request, response) => {
    response.writeHead(429, { 'content-type': 'text/plain', 'retry-after': '7' });
    response.write('one ');
    setImmediate(() => response.end('two'));
  });
  expect(await ask(pool)).toEqual({
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
  const pool = await poolTo((_request, response) => response.writeHead(200, headers).end(body));
  await expect(ask(pool)).rejects.toMatchObject({
    code: 'malformed',
    message: 'a body of over 1000 bytes',
  });
});

it.each([
  ['as it is', {}, LARGE],
  ['only once it is decompressed', { 'content-encoding': 'gzip' }, gzipSync(LARGE)],
])('an error that is too large %s keeps its status', async (_how, headers, body) => {
  const pool = await poolTo((_request, response) => response.writeHead(401, headers).end(body));
  expect(await ask(pool)).toMatchObject({ statusCode: 401, body: Buffer.alloc(0) });
});

it.each([
  ['is cut short', gzipSync('{}').subarray(0, -4)],
  ['is none', Buffer.from('{}')],
])('a compressed body that %s is no whole answer', async (_how, body) => {
  const pool = await poolTo((_request, response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(body),
  );
  await expect(ask(pool)).rejects.toMatchObject({ code: 'unavailable' });
});

it('the time limit counts from asking for a connection, and what was not asked in time never is', async () => {
  const asked: (string | undefined)[] = [];
  const answers: (() => void)[] = [];
  const pool = await poolTo((request, response) => {
    asked.push(request.url);
    answers.push(() => response.end());
  });
  const first = ask(pool, {}, undefined, '/first');
  await expect(ask(pool, { timeoutMs: 50 }, undefined, '/late')).rejects.toMatchObject({
    code: 'unavailable',
    message: 'no whole answer within 50 ms',
  });
  const third = ask(pool, {}, undefined, '/third');
  await expect.poll(() => answers.length).toBe(1);
  answers.shift()?.();
  await expect.poll(() => answers.length).toBe(1);
  answers.shift()?.();
  await Promise.all([first, third]);
  expect(asked).toEqual(['/first', '/third']);
});

it('an answer that comes after an abort counts; without one the reason is thrown', async () => {
  const answers: (() => void)[] = [];
  const pool = await poolTo((_request, response) => {
    answers.push(() => response.end('{}'));
  }, 2);
  const ending = new AbortController();
  const answered = ask(pool, {}, ending.signal);
  const silent = ask(pool, {}, ending.signal);
  await expect.poll(() => answers.length).toBe(2);
  const reason = new Error('the end');
  ending.abort(reason);
  answers.shift()?.();
  const results = await Promise.allSettled([answered, silent]);
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  await expect(ask(pool, {}, ending.signal)).rejects.toBe(reason);
});

it('a connection that is refused or broken says so', async () => {
  const broken = await poolTo((_request, response) => {
    response.writeHead(200, { 'content-length': '10' });
    response.write('12', () => response.destroy());
  });
  await expect(ask(broken)).rejects.toMatchObject({ code: 'unavailable' });
  const nobody = new Pool('http://127.0.0.1:9');
  onTestFinished(() => nobody.destroy());
  await expect(ask(nobody)).rejects.toMatchObject({ code: 'unreachable', message: 'ECONNREFUSED' });
});
