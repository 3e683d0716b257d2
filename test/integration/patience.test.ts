import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createFeed } from '../../src/archive/read/feed.ts';
import { createReader } from '../../src/archive/read/reader.ts';
import { type ApiServer, startApiServer } from '../support/api-server.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';

/** Nothing waits for ever: neither for Postgres nor for a client. */

let database: TestDatabase;
let server: ApiServer;

beforeAll(async () => {
  database = await createDatabase();
  server = startApiServer({ url: database.url, newsUrl: null });
});

afterAll(async () => {
  await server.stop();
  await database.drop();
});

describe('a client that does not read its answer', () => {
  const TIMEOUT_MS = 11 * 60_000;
  let url: string;

  beforeAll(async () => {
    url = await server.app.listen({ port: 0, host: '127.0.0.1' });
    // A page of them is more than the network takes from us while nobody reads.
    const note = 'x'.repeat(8_000);
    const calls = Array.from({ length: 1_000 }, (_, index) => ({
      callSid: `much-${index}`,
      account: 'default',
      metadata: { note },
    }));
    await server.registrar.registerAll(calls);
  });

  afterEach(() => void vi.useRealTimers());

  /** Asks for much, and reads nothing of it. */
  async function ask(url: string): Promise<Socket> {
    const socket = connect(Number(new URL(url).port), '127.0.0.1').pause();
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write('GET /v1/calls?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n');
    return socket;
  }

  const openConnections = ({ app }: ApiServer) =>
    new Promise<number>((resolve) => app.server.getConnections((_error, count) => resolve(count)));

  it('loses its connection in the end', async () => {
    expect(server.app.server.timeout).toBe(TIMEOUT_MS);
    Object.assign(server.app.server, { timeout: 300 });
    try {
      const socket = await ask(url);
      await expect.poll(() => openConnections(server)).toBe(1);
      await expect.poll(() => openConnections(server)).toBe(0);
      socket.destroy();
    } finally {
      Object.assign(server.app.server, { timeout: TIMEOUT_MS });
    }
  });

  it('loses it after an hour, though it reads a little now and then', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const slow = startApiServer({ url: database.url, newsUrl: null });
    const slowUrl = await slow.app.listen({ port: 0, host: '127.0.0.1' });
    const accepted = once(slow.app.server, 'connection');
    const socket = await ask(slowUrl);
    const [connection] = await accepted;
    await expect.poll(() => connection.writableLength).toBeGreaterThan(0);
    vi.advanceTimersByTime(30 * 60_000);
    socket.read(1_000);
    vi.advanceTimersByTime(29 * 60_000);
    expect(await openConnections(slow)).toBe(1);
    vi.advanceTimersByTime(3 * 60_000);
    await expect.poll(() => openConnections(slow)).toBe(0);
    socket.destroy();
    vi.useRealTimers();
    await slow.stop();
  });
});

describe('a request that Postgres never answers', () => {
  afterEach(() => void vi.useRealTimers());

  it.each([
    ['POST', '/v1/calls', 45_000],
    ['GET', '/v1/calls', 45_000],
    ['GET', '/v1/calls/a?wait=60', 105_000],
    ['GET', '/v1/transitions', 105_000],
    ['DELETE', '/v1/calls/a', 45_000],
    ['GET', '/v1/stats', 45_000],
    ['GET', '/v1/export', 3_600_000],
  ] as const)('%s %s is answered all the same', async (method, path, withinMs) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const never = () => new Promise<never>(() => {});
    const frozen = startApiServer({
      url: database.url,
      newsUrl: null,
      options: {
        registrar: { register: never, registerAll: never },
        reader: {
          ...createReader(server.database.pool),
          listCalls: never,
          readCall: never,
          readCallBatched: never,
        },
        feed: { ...createFeed(server.database.pool), read: never, readBatched: never },
        eraser: { erase: never },
        stats: { read: never },
        exporter: { open: never },
      },
    });
    await frozen.app.ready();
    let isAnswered = false;
    const answer = frozen.app
      .inject({ method, url: path, ...(method === 'POST' ? { payload: { callSid: 'a' } } : {}) })
      .then((response) => {
        isAnswered = true;
        return response;
      });
    // The request goes its way by turns of the event loop.
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
    await vi.advanceTimersByTimeAsync(withinMs - 1);
    expect(isAnswered).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    const response = await answer;
    expect(response.statusCode).toBe(503);
    expect(response.headers['retry-after']).toBe('5');
    expect(response.json()).toMatchObject({ code: 'archive_unavailable' });
    vi.useRealTimers();
    await frozen.stop();
  });
});
