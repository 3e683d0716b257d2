import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ApiServer, startApiServer } from '../support/api-server.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { listeningLog } from '../support/log.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase();
});

afterAll(() => database.drop());

describe('more connections than may be open', () => {
  const AT_MOST = 5;
  let crowded: ApiServer;
  let sockets: Socket[];
  let told: ReturnType<typeof listeningLog>;
  let refused: string[];

  /** Returns where it listens. */
  async function startCrowded(): Promise<string> {
    told = listeningLog();
    refused = [];
    sockets = [];
    crowded = startApiServer({
      url: database.url,
      newsUrl: null,
      options: {
        maxConnections: AT_MOST,
        log: told.log,
        requests: { answered: () => {}, refused: (why) => void refused.push(why) },
      },
    });
    return crowded.app.listen({ port: 0, host: '127.0.0.1' });
  }

  async function open(url: string, text = ''): Promise<Socket> {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.on('error', () => {}).resume();
    sockets.push(socket);
    await once(socket, 'connect');
    socket.write(text);
    return socket;
  }

  const isAnswered = (url: string) =>
    request(`${url}/health/live`, { headers: { connection: 'close' } }).then(
      async ({ body }) => {
        await body.dump();
        return true;
      },
      () => false,
    );

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await crowded.stop();
  });

  it('are refused, counted, and told of once; those that say nothing make room', async () => {
    const url = await startCrowded();
    for (let count = 0; count < AT_MOST; count++) await open(url);
    expect(await isAnswered(url)).toBe(false);
    expect(await isAnswered(url)).toBe(false);
    await sleep(2_000);
    expect(await isAnswered(url)).toBe(false);
    expect(await isAnswered(url)).toBe(true);
    expect(refused).toEqual(['connections', 'connections', 'connections']);
    const refusals = () => told.lines.map(({ msg }) => msg).filter((msg) => /connections are/.test(msg));
    expect(refusals()).toEqual(['connections are refused: no more may be open']);
    await expect.poll(refusals).toHaveLength(2);
    expect(refusals().at(-1)).toBe('connections are taken again');
  });

  it.each([
    ['half a head', 'GET /health/live HTTP/1.1\r\nHost: '],
    [
      'half a body',
      'POST /v1/calls HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{',
    ],
  ])('that have sent %s make room', async (_, text) => {
    const url = await startCrowded();
    for (let count = 0; count < AT_MOST; count++) await open(url, text);
    expect(await isAnswered(url)).toBe(false);
    // Before a head or a body that does not come on is given up in any case.
    await expect.poll(() => isAnswered(url), { timeout: 15_000 }).toBe(true);
  });

  it('between two requests make room at once; one whose request is under way is kept', async () => {
    const url = await startCrowded();
    await crowded.registrar.register({ callSid: 'kept', account: 'default', metadata: {} });
    const waiting = await open(url, 'GET /v1/calls/kept?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await expect.poll(() => crowded.waiting.held).toBe(1);
    for (let count = 1; count < AT_MOST; count++) {
      const socket = await open(url, 'GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await once(socket, 'data');
    }
    expect(await isAnswered(url)).toBe(false);
    expect(await isAnswered(url)).toBe(true);
    expect(crowded.waiting.held).toBe(1);
    expect(waiting.destroyed).toBe(false);
  });
});
