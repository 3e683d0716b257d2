import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_UNDER_WAY } from '../../src/push/claims.ts';
import type { Answer } from '../../src/push/post.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { noMetrics } from '../support/metrics.ts';
import { type Pushing, startPushing } from '../support/push.ts';
import { type Answering, type Receiver, startReceiver } from '../support/receiver.ts';
import { sightingNow } from '../support/sighting.ts';

/** What goes wrong between polykeep and a receiver. */

let database: OpenDatabase;
let pushing: Pushing;
let receiver: Receiver;

beforeEach(async () => {
  database = await openTestDatabase();
  pushing = startPushing(database, { answerWithinMs: 2_000 });
  receiver = await startReceiver();
});

afterEach(async () => {
  await pushing.stop();
  await receiver.stop();
  await database.drop();
});

async function live(callSid: string, ...statuses: string[]): Promise<void> {
  await pushing.registrar.register({ callSid, account: 'default', metadata: {} });
  for (const status of statuses) await pushing.writer.report({ callSid, sighting: sightingNow(status) });
}

interface Row {
  status: number;
  attempts: number;
  nextIn: number;
  history: { statusCode: number | null; error: string | null; answer: string }[];
}

const rows = () =>
  database.query<Row>(
    `select status, attempts, date_part('epoch', next_attempt_at - now()) as "nextIn", history
       from polykeep_internal.deliveries order by id`,
  );
/** What waits for another attempt is due now. */
const hurry = () =>
  database.query(
    'update polykeep_internal.deliveries set next_attempt_at = now() where status = 0 and leased_until is null',
  );
const state = async (id: string) => pushing.webhooks.read(id);
const refuse =
  (status: number, headers = {}): Answering =>
  (_, response) =>
    void response.writeHead(status, headers).end(`no: ${status}`);
const seqs = () => receiver.received.map(({ body }) => body.data.seq ?? body.data.outcome);

describe('a delivery that fails', () => {
  it('is tried again with the same id and body, signed anew, and later ones of its call wait for it', async () => {
    await pushing.connect(receiver);
    receiver.answer = refuse(500);
    pushing.sender().start();
    await live('one', 'queued', 'success');
    await expect.poll(async () => (await rows())[0]?.attempts).toBe(1);
    const [first, second] = await rows();
    expect(first).toMatchObject({ status: 0, history: [{ statusCode: 500, answer: 'no: 500' }] });
    expect(first?.nextIn).toBeGreaterThan(1);
    expect(first?.nextIn).toBeLessThan(6);
    expect(second?.attempts).toBe(0);
    const before = receiver.received.length;
    await live('another', 'queued');
    await expect.poll(() => receiver.received.length).toBe(before + 1);
    receiver.answer = (_, response) => void response.writeHead(200).end();
    await hurry();
    await expect.poll(async () => (await rows()).every(({ status }) => status === 1)).toBe(true);
    const ofOne = receiver.received.filter(({ body }) => body.data.callSid === 'one');
    expect(ofOne.map(({ body }) => body.data.seq ?? body.data.outcome)).toEqual([1, 1, 2, 'success']);
    expect(ofOne[1]).toMatchObject({ id: ofOne[0]?.id, text: ofOne[0]?.text });
    expect(receiver.wrong).toEqual([]);
  });

  it('for the tenth time is given up, and lets the next one of its call go', async () => {
    await pushing.connect(receiver);
    receiver.answer = ({ body }, response) => void response.writeHead(body.data.seq === 1 ? 503 : 200).end();
    pushing.sender().start();
    await live('one', 'queued', 'success');
    for (let attempt = 1; attempt <= 10; attempt++) {
      await expect.poll(async () => (await rows())[0]?.attempts).toBe(attempt);
      if (attempt < 10) await hurry();
    }
    await expect.poll(async () => (await rows()).map(({ status }) => status)).toEqual([2, 1, 1]);
    expect(seqs()).toEqual([...Array<number>(10).fill(1), 2, 'success']);
  });

  it('waits as long as the receiver asks, and so do all others for it', async () => {
    const id = await pushing.connect(receiver);
    receiver.answer = refuse(429, { 'retry-after': '3600' });
    pushing.sender().start();
    await live('one', 'queued');
    await expect.poll(async () => (await rows())[0]?.attempts).toBe(1);
    expect((await rows())[0]?.nextIn).toBeGreaterThan(3_500);
    await expect.poll(() => heldFor(id)).toBeGreaterThan(3_500);
    await live('another', 'queued');
    await hurry();
    const idle = await pushing.connect(await startIdle());
    await live('third', 'queued');
    await expect.poll(async () => (await rows()).filter(({ status }) => status === 1)).toHaveLength(1);
    expect(idle).not.toBe(id);
    expect(receiver.received).toHaveLength(1);
  });

  it('by 410 disables its webhook', async () => {
    const id = await pushing.connect(receiver);
    receiver.answer = refuse(410);
    pushing.sender().start();
    await live('one', 'queued');
    await expect.poll(() => state(id)).toMatchObject({ enabled: false, disabledReason: 'gone' });
    expect(await rows()).toMatchObject([{ status: 2 }]);
    await live('one', 'success');
    expect(await rows()).toHaveLength(1);
  });

  it('after five days without any success disables its webhook, and one before does not', async () => {
    const id = await pushing.connect(receiver);
    receiver.answer = refuse(500);
    pushing.sender().start();
    await live('one', 'queued');
    await expect.poll(async () => (await state(id))?.failingSince).not.toBeNull();
    const failFor = (days: number) =>
      database.query(
        `update polykeep_internal.webhooks set failing_since = now() - $1 * interval '24 hours'`,
        [days],
      );
    await failFor(4.9);
    await hurry();
    await expect.poll(async () => (await rows())[0]?.attempts).toBe(2);
    expect(await state(id)).toMatchObject({ enabled: true });
    await failFor(5.1);
    await hurry();
    await expect.poll(() => state(id)).toMatchObject({ enabled: false, disabledReason: 'failing' });
    await pushing.webhooks.change(id, { enabled: true });
    receiver.answer = (_, response) => void response.writeHead(200).end();
    await hurry();
    await expect.poll(async () => (await rows())[0]?.status).toBe(1);
    expect(await state(id)).toMatchObject({ enabled: true, failingSince: null, disabledReason: null });
  });
});

async function heldFor(id: string): Promise<number> {
  const [row] = await database.query<{ held: number | null }>(
    `select date_part('epoch', held_until - now()) as held from polykeep_internal.webhooks where public_id = $1`,
    [id],
  );
  return row?.held ?? 0;
}

const idle: Receiver[] = [];
async function startIdle(): Promise<Receiver> {
  const started = await startReceiver();
  idle.push(started);
  return started;
}
afterEach(async () => {
  for (const one of idle.splice(0)) await one.stop();
});

const MANY_BYTES = Buffer.alloc(64 * 1024, 'x');
const strange: [string, Answering, Partial<Answer>][] = [
  [
    'answers 10 MB',
    (_, response) => {
      response.writeHead(200);
      const more = () => {
        while (!response.destroyed && response.write(MANY_BYTES)) {}
      };
      response.on('drain', more);
      more();
    },
    { result: 'broken', error: 'the answer is longer than 64 KB' },
  ],
  [
    'drips',
    (_, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('.'), 20);
      response.on('close', () => clearInterval(timer));
    },
    { result: 'timeout' },
  ],
  ['hangs', () => {}, { result: 'timeout' }],
  [
    'closes half-way',
    (_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half');
      setImmediate(() => response.socket?.destroy());
    },
    { result: 'broken' },
  ],
  [
    'speaks nonsense',
    (_, response) => void response.socket?.end('SSH-2.0-nonsense\r\n'),
    { result: 'broken' },
  ],
  [
    'redirects',
    (_, response) => void response.writeHead(307, { location: '/elsewhere' }).end(),
    { result: 'refused', error: 'answered 307' },
  ],
];

describe('a receiver that', () => {
  it.each(strange)('%s makes one failed attempt', async (_, answer, expected) => {
    await pushing.connect(receiver);
    receiver.answer = answer;
    const results: string[] = [];
    pushing.sender({ metrics: { ...noMetrics, attempted: (result) => results.push(result) } }).start();
    await live('one', 'queued');
    await expect.poll(async () => (await rows())[0]?.attempts).toBe(1);
    expect(results).toEqual([expected.result]);
    if (expected.error !== undefined)
      expect((await rows())[0]?.history).toMatchObject([{ error: expected.error }]);
    expect(receiver.received).toHaveLength(1);
  });

  it('answers a page of some KB has taken it, and its first KB is kept', async () => {
    await pushing.connect(receiver);
    receiver.answer = (_, response) => void response.writeHead(201).end('é'.repeat(5_000));
    pushing.sender().start();
    await live('one', 'queued');
    await expect.poll(async () => (await rows())[0]?.status).toBe(1);
    expect((await rows())[0]?.history).toMatchObject([{ statusCode: 201, answer: 'é'.repeat(512) }]);
  });

  it('answers what Postgres cannot keep is told of as far as it can', async () => {
    await pushing.connect(receiver);
    receiver.answer = (_, response) =>
      void response.writeHead(200).end(Buffer.from([65, 0, 66, 0xff, 0xed, 0xa0, 0x80]));
    pushing.sender().start();
    await live('one', 'queued');
    await expect.poll(async () => (await rows())[0]?.status).toBe(1);
    expect((await rows())[0]?.history[0]?.answer).toMatch(/^A\ufffdB\ufffd+$/);
  });

  it('hangs holds up no other, and gets no more than its number of requests from all processes', async () => {
    await pushing.connect(receiver);
    receiver.answer = () => {};
    const other = await startIdle();
    await pushing.connect(other);
    for (let process = 0; process < 3; process++) pushing.sender().start();
    const calls = Array.from({ length: 60 }, (_, index) => `call-${index}`);
    await Promise.all(calls.map((callSid) => live(callSid, 'queued')));
    await expect.poll(() => other.received).toHaveLength(60);
    await expect.poll(() => receiver.underWay).toBe(MAX_UNDER_WAY);
    expect(receiver.mostUnderWay).toBe(MAX_UNDER_WAY);
    expect(other.mostUnderWay).toBeLessThanOrEqual(MAX_UNDER_WAY);
  });
});

describe('a process that', () => {
  it('stops hands back what is under way, which another one delivers', async () => {
    await pushing.stop();
    pushing = startPushing(database);
    await pushing.connect(receiver);
    receiver.answer = () => {};
    const first = pushing.sender();
    first.start();
    await live('one', 'queued');
    await expect.poll(() => receiver.received).toHaveLength(1);
    await first.stop();
    expect(await rows()).toMatchObject([{ status: 0, attempts: 0 }]);
    receiver.answer = (_, response) => void response.writeHead(200).end();
    pushing.sender().start();
    await expect.poll(async () => (await rows())[0]?.status).toBe(1);
    const [before, after] = receiver.received;
    expect(after?.id).toBe(before?.id);
  });

  it('has another root signs for nobody', async () => {
    const id = await pushing.connect(receiver);
    const stranger = startPushing(database, { root: 'another-root-of-all-the-secrets-there-are' });
    try {
      stranger.sender().start();
      await live('one', 'queued');
      const control = await startIdle();
      await stranger.connect(control);
      await live('two', 'queued');
      await expect.poll(() => control.received).toHaveLength(1);
      expect(receiver.received).toEqual([]);
      receiver.secret = (await stranger.webhooks.rotate(id))?.secret ?? '';
      await expect.poll(() => receiver.received).toHaveLength(2);
      expect(receiver.wrong).toEqual([]);
    } finally {
      await stranger.stop();
    }
  });
});
