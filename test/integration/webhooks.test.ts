import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CallJson } from '../../src/api/schemas.ts';
import { createReader } from '../../src/archive/read/reader.ts';
import type { Conclusion } from '../../src/call/call.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { type Pushing, startPushing } from '../support/push.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { sightingNow } from '../support/sighting.ts';

let database: OpenDatabase;
let pushing: Pushing;
let receiver: Receiver;

beforeEach(async () => {
  database = await openTestDatabase();
  pushing = startPushing(database);
  receiver = await startReceiver();
});

afterEach(async () => {
  await pushing.stop();
  await receiver.stop();
  await database.drop();
});

const register = (callSid: string, metadata: Record<string, string> = {}, account = 'default') =>
  pushing.registrar.register({ callSid, account, metadata });

async function show(callSid: string, ...statuses: string[]): Promise<void> {
  for (const status of statuses) await pushing.writer.report({ callSid, sighting: sightingNow(status) });
}

const conclude = (callSid: string, outcome: Conclusion) =>
  pushing.writer.report({ callSid, conclusion: { outcome, at: new Date() } });

const told = (of: Receiver = receiver) =>
  of.received.map(({ body }) => [body.type, body.data.callSid, body.data.seq ?? body.data.outcome]);

describe('a webhook', () => {
  it('is told of each transition and of the end, in order, as the API tells of the call', async () => {
    await pushing.connect(receiver);
    pushing.sender().start();
    await register('one', { campaign: 'spring' });
    await show('one', 'queued', 'calling', 'success');
    await expect.poll(() => receiver.received).toHaveLength(4);
    expect(told()).toEqual([
      ['call.transition', 'one', 1],
      ['call.transition', 'one', 2],
      ['call.transition', 'one', 3],
      ['call.settled', 'one', 'success'],
    ]);
    const read = await createReader(database.pool).readCall('one');
    const call: CallJson = JSON.parse(read?.json ?? '');
    expect(receiver.received.at(-1)?.body).toEqual({
      type: 'call.settled',
      timestamp: call.settledAt,
      data: call,
    });
    expect(receiver.wrong).toEqual([]);
  });

  it('is told of a conclusion, that it was taken back, and how the call settled anew', async () => {
    await pushing.connect(receiver);
    pushing.sender().start();
    await register('one');
    await show('one', 'queued');
    await conclude('one', 'lost');
    await register('one');
    await conclude('one', 'lost');
    await show('one', 'calling', 'failure');
    await expect.poll(() => receiver.received).toHaveLength(6);
    expect(told().map(([, , what]) => what)).toEqual([1, 'lost', 'lost', 2, 3, 'failure']);
    expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(6);
  });

  it('is told what it asked for, and nothing else', async () => {
    await pushing.connect(receiver, { events: ['call.settled'], account: 'uk', metadata: { tier: 'gold' } });
    pushing.sender().start();
    await register('other account', { tier: 'gold' });
    await register('other tier', { tier: 'tin' }, 'uk');
    await register('this', { tier: 'gold', more: 'x' }, 'uk');
    for (const callSid of ['other account', 'other tier', 'this']) await show(callSid, 'queued', 'success');
    await expect.poll(() => receiver.received).toHaveLength(1);
    expect(told()).toEqual([['call.settled', 'this', 'success']]);
    expect(await database.query('select from polykeep_internal.deliveries')).toHaveLength(1);
  });

  it('that was disabled or removed is told nothing', async () => {
    const disabled = await pushing.connect(receiver);
    const removed = await pushing.connect(receiver);
    await pushing.webhooks.change(disabled, { enabled: false });
    await pushing.webhooks.remove(removed);
    await register('one');
    await show('one', 'success');
    expect(await database.query('select from polykeep_internal.deliveries')).toEqual([]);
  });

  it('is told late as it was then, though the call went on', async () => {
    await pushing.connect(receiver);
    await register('one');
    await show('one', 'queued');
    await conclude('one', 'lost');
    await show('one', 'calling', 'success');
    pushing.sender().start();
    await expect.poll(() => receiver.received).toHaveLength(5);
    const lost = receiver.received[1]?.body.data;
    expect(lost).toMatchObject({ status: 'queued', outcome: 'lost', transitions: [{ status: 'queued' }] });
    expect(lost?.settledAt).toBe(receiver.received[1]?.body.timestamp);
  });
});
