import rateLimit from '@fastify/rate-limit';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { guard } from '../../src/api/door/access.ts';
import { readApiKeys } from '../../src/api/door/api-keys.ts';
import { handleError, sendProblem } from '../../src/api/error-handler.ts';
import { problem } from '../../src/api/problems.ts';

const READ = 'the-key-that-may-read';
const WRITE = 'the-key-that-may-write';
const TOKEN = 'a-token-of-polyai';
const MAX_PER_SECOND = 100;

let app: FastifyInstance;
let refused: string[];
const done = async () => ({ ok: true });

function serverWith(keys: string | null): FastifyInstance {
  const server = fastify();
  server.setErrorHandler(handleError);
  server.setNotFoundHandler(({ method, url }, reply) =>
    sendProblem(reply, problem.routeNotFound(method, url)),
  );
  server.register(rateLimit, { global: false });
  server.after(() => {
    guard(server, {
      keys: keys === null ? [] : readApiKeys(keys, []),
      maxPerSecond: MAX_PER_SECOND,
      count: (why) => void refused.push(why),
    });
    server.get('/probe', { config: { access: 'open', isProbe: true } }, done);
    server.get('/open', { config: { access: 'open' } }, done);
    server.get('/local', { config: { access: 'local' } }, done);
    server.get('/drop-in', { config: { access: 'drop-in', tokenOf } }, async ({ apiKey }) => ({
      key: apiKey?.name ?? null,
    }));
    server.get('/board', { config: { access: 'board' } }, done);
    server.get('/calls', done);
    server.post('/calls', done);
  });
  return server;
}

/** As the drop-in finds a PolyAI token. */
function tokenOf({ headers: { 'x-token': token } }: FastifyRequest) {
  if (typeof token !== 'string') return null;
  return { token, holder: token === TOKEN ? 'the token of default' : null };
}

beforeEach(() => {
  refused = [];
  app = serverWith(`bi:read:${READ},web:write:${WRITE}`);
});

afterEach(() => app.close());

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

  it('no key and an unknown one are told apart', async () => {
    const [missing, unknown] = [
      await ask('GET', '/calls'),
      await ask('GET', '/calls', 'a-key-that-nobody-has'),
    ];
    expect([missing.statusCode, unknown.statusCode]).toEqual([401, 401]);
    expect(missing.json().detail).toBe('authorization: an API key is needed, as "Bearer KEY"');
    expect(unknown.json().detail).toBe('authorization: this API key is none of API_KEYS');
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

  it('the drop-in lets in whom it will, and knows the key', async () => {
    expect((await ask('GET', '/drop-in')).json()).toEqual({ key: null });
    expect((await ask('GET', '/drop-in', WRITE)).json()).toEqual({ key: 'web' });
  });
});

describe('the queue board', () => {
  const basic = (password: string) => ({
    authorization: `Basic ${Buffer.from(`anybody:${password}`).toString('base64')}`,
  });
  const board = (headers: Record<string, string>, url = '/board') =>
    app.inject({ method: 'GET', url, headers });

  it('opens for a write key alone, which a browser may send as a password', async () => {
    const refused = await board({});
    expect(refused.statusCode).toBe(401);
    expect(refused.headers['www-authenticate']).toMatch(/^Basic realm=/);
    for (const [key, status] of [
      [WRITE, 200],
      [READ, 403],
      ['the-key-that-is-none', 401],
      ['', 401],
    ] as const) {
      expect((await board(basic(key))).statusCode).toBe(status);
      expect(await statusOf('GET', '/board', key)).toBe(status);
    }
    expect((await board({ authorization: 'Basic !' })).statusCode).toBe(401);
  });

  it('alone takes a password: a page elsewhere could have a browser send it', async () => {
    expect((await board(basic(WRITE), '/calls')).statusCode).toBe(401);
  });
});

describe('more requests than are allowed', () => {
  const overstep = async (ask: () => Promise<{ statusCode: number }>) => {
    for (let count = 0; count < 10 * MAX_PER_SECOND; count++) {
      const answer = await ask();
      if (answer.statusCode === 429) return answer;
    }
    throw new Error('never refused');
  };

  it('are refused for a while, those of this key alone', async () => {
    await overstep(() => ask('GET', '/calls', READ));
    const answers = await Promise.all(
      Array.from({ length: 5 * MAX_PER_SECOND }, () => ask('GET', '/calls', READ)),
    );
    const refused = answers.filter(({ statusCode }) => statusCode === 429).at(-1);
    expect(refused?.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(refused?.headers['retry-after']).toBe('1');
    expect(refused?.json()).toMatchObject({
      status: 429,
      code: 'too_many_requests',
      title: 'Too Many Requests',
    });
    expect(await statusOf('GET', '/calls', WRITE)).toBe(200);
    await expect.poll(() => statusOf('GET', '/calls', READ)).toBe(200);
  });

  it('are counted by address without a key, whatever they ask for; probes are not', async () => {
    await overstep(() => ask('GET', '/nowhere'));
    const statuses = async (url: string, remoteAddress?: string) => {
      const asked = Array.from({ length: 5 * MAX_PER_SECOND }, () =>
        statusOf('GET', url, undefined, remoteAddress),
      );
      return new Set(await Promise.all(asked));
    };
    expect(await statuses('/calls')).toContain(429);
    expect(await statuses('/probe')).toEqual(new Set([200]));
    expect(await statusOf('GET', '/calls', undefined, '10.0.0.10')).toBe(401);
    expect(await statusOf('GET', '/calls', WRITE)).toBe(200);
  });
});

describe('wrong keys', () => {
  const guess = (count: number, key: (index: number) => string, from?: string) =>
    Promise.all(Array.from({ length: count }, (_, index) => ask('GET', '/calls', key(index), from)));
  const aGuess = (index: number) => `a-guess-of-a-key-${index}`;
  const countOf = (answers: readonly { statusCode: number }[], status: number) =>
    answers.filter(({ statusCode }) => statusCode === status).length;

  it('many different ones from an address: a right key from there is let in all the same', async () => {
    const guesses = guess(90, aGuess);
    const rights = await Promise.all([statusOf('GET', '/calls', WRITE), statusOf('GET', '/calls', READ)]);
    expect(rights).toEqual([200, 200]);
    expect(new Set((await guesses).map(({ statusCode }) => statusCode))).toEqual(new Set([401, 429]));
    expect(refused).toContain('wrong_keys');
  });

  it('ten are told of at once, fifty more after a second, and the others lose their connection', async () => {
    const startedAt = performance.now();
    const timed = await Promise.all(
      Array.from({ length: 80 }, async (_, index) => {
        const { statusCode, headers } = await ask('GET', '/calls', aGuess(index));
        return { statusCode, headers, isSlow: performance.now() - startedAt >= 990 };
      }),
    );
    const atOnce = timed.filter(({ isSlow }) => !isSlow);
    expect(countOf(timed, 401)).toBe(10);
    expect(countOf(atOnce, 401)).toBe(10);
    const slow = timed.filter(({ isSlow }) => isSlow);
    expect(countOf(slow, 429)).toBe(50);
    for (const { headers } of slow) expect(headers).toMatchObject({ 'retry-after': '1' });
    const cut = atOnce.filter(({ headers }) => headers.connection === 'close');
    expect(countOf(cut, 429)).toBe(20);
  });

  it('of an address slow down no other', async () => {
    const guesses = guess(70, aGuess);
    expect(countOf(await guess(1, aGuess, '10.0.0.10'), 401)).toBe(1);
    await guesses;
  });

  it('of many addresses are held back a thousand at a time, and each address is forgotten again', async () => {
    const addresses = Array.from({ length: 30 }, (_, index) => `10.0.1.${index}`);
    const answers = (await Promise.all(addresses.map((address) => guess(60, aGuess, address)))).flat();
    expect(answers.filter(({ headers }) => headers.connection === 'close')).toHaveLength(30 * 50 - 1_000);
    const again = await guess(1, aGuess, '10.0.1.0');
    expect(countOf(again, 401)).toBe(1);
  });

  it('the same one over and over is somebody who has not heard, and keeps nobody out', async () => {
    expect(countOf(await guess(50, () => 'a-key-of-yesterday'), 401)).toBe(50);
    expect(await statusOf('GET', '/calls', WRITE)).toBe(200);
  });
});

describe('a token of PolyAI', () => {
  const bring = (token: string) =>
    app.inject({ url: '/drop-in', remoteAddress: '10.0.0.9', headers: { 'x-token': token } });

  it('that is right is let in whatever else comes from its address, and counted for its account', async () => {
    const others = Array.from({ length: 2 * MAX_PER_SECOND }, () => statusOf('GET', '/drop-in'));
    expect((await bring(TOKEN)).statusCode).toBe(200);
    expect(await Promise.all(others)).toContain(429);
    const own = Array.from({ length: 2 * MAX_PER_SECOND }, async () => (await bring(TOKEN)).statusCode);
    expect(await Promise.all(own)).toContain(429);
  });

  it('that is wrong is a guess like another', async () => {
    const guesses = await Promise.all(Array.from({ length: 20 }, (_, index) => bring(`a-guess-${index}`)));
    expect(guesses.filter(({ statusCode }) => statusCode === 429)).toHaveLength(10);
  });
});

describe('without keys', () => {
  let open: FastifyInstance;
  beforeEach(() => {
    open = serverWith(null);
  });
  afterEach(() => open.close());

  it('every caller is let in: the configuration sees to it that only this machine can call', async () => {
    expect((await open.inject({ method: 'POST', url: '/calls' })).statusCode).toBe(200);
    expect((await open.inject({ url: '/board' })).statusCode).toBe(200);
  });

  it.each([
    ['localhost', 200],
    ['LOCALHOST:8080', 200],
    ['127.0.0.1:8080', 200],
    ['[::1]:8080', 200],
    ['evil.example', 403],
    ['127.0.0.1.evil.example:8080', 403],
    ['localhost.evil.example', 403],
  ])('a request to the name %s gets %i: a page may have its own name lead here', async (host, status) => {
    for (const url of ['/calls', '/drop-in', '/board', '/local']) {
      const answer = await open.inject({ url, headers: { host }, remoteAddress: '10.0.0.9' });
      expect(answer.statusCode).toBe(status);
    }
    expect((await open.inject({ url: '/open', headers: { host } })).statusCode).toBe(200);
  });
});
