import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createFeedStream } from '../../src/api/feed-stream.ts';
import { openDatabase } from '../../src/archive/database.ts';
import { createNews } from '../../src/archive/news.ts';
import { createFeed } from '../../src/archive/read/feed.ts';
import { type ApiServer, startApiServer } from '../support/api-server.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { silentLog as log } from '../support/log.ts';
import { sightingNow } from '../support/sighting.ts';

/** The feed as server-sent events. */

interface Told {
  id: string;
  callSid: string;
  seq: number;
}

interface Client {
  socket: Socket;
  text: () => string;
  events: () => Told[];
  lastId: () => string | undefined;
}

let database: TestDatabase;
let api: ApiServer;
let url: string;
let clients: Client[];
let after: AsyncDisposableStack;

beforeEach(async () => {
  after = new AsyncDisposableStack();
  database = await createDatabase();
  after.defer(() => database.drop());
  clients = [];
  await start();
});

afterEach(() => after.disposeAsync());

async function start(options: { commentEveryMs?: number } = {}): Promise<void> {
  const own = openDatabase(database.url, log, { max: 1 });
  const news = createNews({ url: database.url, log });
  const feed = createFeed(own.pool);
  const stream = createFeedStream({ feed, news, log, lookEveryMs: 200, ...options });
  const started = startApiServer({ url: database.url, options: { stream } });
  after.defer(async () => {
    for (const { socket } of clients) socket.destroy();
    await started.stop();
    await news.stop();
    await own.close();
  });
  api = started;
  url = await api.app.listen({ host: '127.0.0.1', port: 0 });
}

/** By hand, so that a client may also not read. */
async function listen(query = '', headers: Record<string, string> = {}): Promise<Client> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  const lines = Object.entries({ host: 'localhost', accept: 'text/event-stream', ...headers });
  socket.write(
    `GET /v1/transitions${query} HTTP/1.1\r\n${lines.map(([n, v]) => `${n}: ${v}\r\n`).join('')}\r\n`,
  );
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  await expect.poll(() => text).toContain('\r\n\r\n');
  const client: Client = {
    socket,
    text: () => text,
    lastId: () => [...text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1],
    events: () =>
      [...text.matchAll(/^id: (.*)\nevent: transition\ndata: (.*)\n\n/gm)].map(([, id = '', data = '']) => ({
        id,
        ...JSON.parse(data),
      })),
  };
  clients.push(client);
  return client;
}

async function live(callSid: string, statuses: string[], account = 'default'): Promise<void> {
  await api.registrar.register({ callSid, account, metadata: {} });
  for (const status of statuses) await api.writer.report({ callSid, sighting: sightingNow(status) });
}

const named = (told: Told[]) => told.map(({ callSid, seq }) => `${callSid}/${seq}`);

it('tells the past and then each transition as it comes, once', async () => {
  await live('past', ['queued', 'calling']);
  const client = await listen();
  expect(client.text()).toMatch(/^HTTP\/1.1 200 OK/);
  expect(client.text()).toContain('text/event-stream');
  await expect.poll(() => named(client.events())).toEqual(['past/1', 'past/2']);
  await live('now', ['queued', 'success']);
  await expect.poll(() => named(client.events())).toEqual(['past/1', 'past/2', 'now/1', 'now/2']);
});

it('goes on behind the id of the last event, or a cursor of the feed', async () => {
  await live('one', ['queued', 'calling', 'success']);
  const first = await listen();
  await expect.poll(() => first.events()).toHaveLength(3);
  const id = first.events()[0]?.id ?? '';
  const byId = await listen('', { 'last-event-id': id });
  const byCursor = await listen(`?after=${id}`);
  const byBoth = await listen(`?after=${first.events()[1]?.id}`, { 'last-event-id': id });
  for (const client of [byId, byCursor, byBoth]) {
    await expect.poll(() => named(client.events())).toEqual(['one/2', 'one/3']);
  }
});

it('tells of one account alone to who asked for it, late and live', async () => {
  await live('of us', ['queued'], 'us');
  await live('of uk', ['queued'], 'uk');
  const client = await listen('?account=uk');
  const all = await listen();
  await live('more of us', ['queued'], 'us');
  await live('more of uk', ['queued'], 'uk');
  await expect.poll(() => all.events()).toHaveLength(4);
  await expect.poll(() => named(client.events())).toEqual(['of uk/1', 'more of uk/1']);
});

it('misses nothing and tells nothing twice, whenever one joins while others write', async () => {
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    for (let call = 0; call < 40; call++) await live(`${writer}-${call}`, ['queued', 'success']);
  });
  const joining: Promise<Client>[] = [];
  for (let joined = 0; joined < 12; joined++) {
    joining.push(listen());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await Promise.all(writers);
  const [first, ...others] = await Promise.all(joining);
  await expect.poll(() => first?.events()).toHaveLength(320);
  const expected = named(first?.events() ?? []);
  expect(new Set(expected).size).toBe(320);
  for (const client of others) await expect.poll(() => named(client.events())).toEqual(expected);
});

it('comments while there is nothing to tell', async () => {
  await start({ commentEveryMs: 20 });
  const client = await listen();
  await expect.poll(() => client.text().match(/^:$/gm)?.length ?? 0).toBeGreaterThan(2);
});

it('cuts off who does not read, and no other; who comes back goes on', async () => {
  const slow = await listen();
  const quick = await listen();
  slow.socket.pause();
  const closed = once(slow.socket, 'close');
  const reason = 'x'.repeat(900);
  let calls = 0;
  const isCut = async () => {
    await Promise.all(
      Array.from({ length: 50 }, () => {
        const callSid = `call-${calls++}`;
        return api.registrar
          .register({ callSid, account: 'default', metadata: {} })
          .then(() => api.writer.report({ callSid, sighting: sightingNow('queued', reason) }));
      }),
    );
    return open();
  };
  await expect.poll(isCut).toBe(1);
  slow.socket.resume();
  await closed;
  // What was cut within an event is none.
  const seen = slow.events().length;
  const again = await listen('', { 'last-event-id': slow.events().at(-1)?.id ?? '' });
  await expect.poll(() => quick.events().length).toBe(calls);
  await expect.poll(() => again.events().length + seen).toBe(calls);
});

const open = () =>
  new Promise<number>((resolve) => api.app.server.getConnections((_, count) => resolve(count)));

it('ends with the process, and tells where to go on', async () => {
  await live('one', ['queued']);
  const client = await listen();
  await expect.poll(() => client.events()).toHaveLength(1);
  const closed = once(client.socket, 'close');
  await api.app.close();
  await closed;
  expect(client.text()).toMatch(/\nid: (\S+)\nretry: \d+\n\n/);
  const id = client.lastId() ?? '';
  await start();
  const again = await listen('', { 'last-event-id': id });
  await live('two', ['queued']);
  await expect.poll(() => named(again.events())).toEqual(['two/1']);
});

it('refuses what is no cursor, and one of another server, before anything is told', async () => {
  for (const [query, headers] of [
    ['?after=x', {}],
    ['', { 'last-event-id': 'x' }],
    [`?after=${Buffer.from('["18446744073709551615","1",1]').toString('base64url')}`, {}],
  ] as const) {
    const client = await listen(query, headers);
    expect(client.text()).toMatch(/^HTTP\/1.1 400/);
    expect(client.text()).toContain('application/problem+json');
  }
});
