import { Agent } from 'undici';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CONCLUSIONS, type Conclusion } from '../../src/call/call.ts';
import { client } from '../support/client.ts';
import { type DropInServer, startDropInServer } from '../support/drop-in-server.ts';
import { askPolyAi, statusPath } from '../support/polyai-requests.ts';
import { sightingNow } from '../support/sighting.ts';

/** `lost`, `not_found`, `rejected` and `abandoned` are what polykeep concluded: PolyAI's word takes them back. */

const FOREVER = [{ status: 'calling', forMs: Infinity }];

let server: DropInServer;
let polykeep: ReturnType<typeof client>;
const agent = new Agent();

beforeAll(async () => {
  server = await startDropInServer();
  polykeep = client(server.url);
});

afterAll(async () => {
  await agent.destroy();
  await server.stop();
});

let next = 0;
let callSid: string;

beforeEach(() => {
  callSid = `concluded-${next++}`;
});

/** A call that was seen where its conclusion is one of a call that was seen. */
async function conclude(outcome: Conclusion): Promise<void> {
  await polykeep.register(callSid);
  const { report } = server.api.writer;
  if (outcome === 'lost' || outcome === 'abandoned')
    await report({ callSid, sighting: sightingNow('queued') });
  await report({
    callSid,
    conclusion: { outcome, at: new Date() },
    polls: 3,
    failedPolls: 3,
    lastError: 'HTTP 404',
  });
  expect(await polykeep.call(callSid)).toMatchObject({ outcome, settledAt: expect.any(String) });
}

const asked = () => server.polyai.journal.count(callSid);
const ask = () => askPolyAi(agent, server.url + statusPath(callSid));

describe.each(CONCLUSIONS)('a call that is %s', (outcome) => {
  it('is followed again when it is registered again, and keeps what was seen of it', async () => {
    await conclude(outcome);
    const before = await polykeep.call(callSid);
    expect(await polykeep.register(callSid)).toMatchObject({
      status: 200,
      body: { outcome: null, settledAt: null, polls: 3, lastError: 'HTTP 404' },
    });
    expect((await polykeep.call(callSid)).transitions).toEqual(before.transitions);
    expect((await polykeep.list('outcome=none')).map((call) => call.callSid)).toContain(callSid);
  });

  it('is "reopened" in a batch, once, and "existing" from then on', async () => {
    await conclude(outcome);
    const batch = { calls: [{ callSid }, { callSid }] };
    const results = (...kinds: string[]) => ({ results: kinds.map((result) => ({ callSid, result })) });
    expect(await polykeep.post('/v1/calls/batch', batch)).toMatchObject({
      body: results('reopened', 'existing'),
    });
    expect(await polykeep.post('/v1/calls/batch', batch)).toMatchObject({
      body: results('existing', 'existing'),
    });
  });

  it('is shown by PolyAI after all: that is a transition, which the feed tells', async () => {
    await conclude(outcome);
    const { nextCursor } = Object(await polykeep.get('/v1/transitions?limit=1000'));
    const seen = (await polykeep.call(callSid)).transitions.length;
    await server.api.writer.report({ callSid, sighting: sightingNow('queued') });
    expect(await polykeep.call(callSid)).toMatchObject({ outcome: null, status: 'queued' });
    // A transaction of another test's, on the same server, holds the feed up.
    await expect
      .poll(() => polykeep.get(`/v1/transitions?after=${nextCursor}`))
      .toMatchObject({ data: expect.arrayContaining([expect.objectContaining({ callSid, seq: seen + 1 })]) });
  });
});

it.each(['success', 'failure'])(
  'PolyAI’s own %s is final, whatever is registered or shown',
  async (status) => {
    await polykeep.register(callSid);
    await server.api.writer.report({ callSid, sighting: sightingNow(status) });
    await server.api.writer.report({ callSid, sighting: sightingNow('queued') });
    await server.api.writer.report({ callSid, conclusion: { outcome: 'lost', at: new Date() } });
    expect(await polykeep.post('/v1/calls/batch', { calls: [{ callSid }] })).toMatchObject({
      body: { results: [{ result: 'existing' }] },
    });
    expect(await polykeep.call(callSid)).toMatchObject({ outcome: status, status });
  },
);

describe('PolyAI’s own status route', () => {
  it.each<Conclusion>(['lost', 'abandoned'])(
    'of a call that is %s answers PolyAI’s last word, and asks nobody',
    async (outcome) => {
      await conclude(outcome);
      server.polyai.place({ callSid, script: FOREVER });
      expect(await ask()).toMatchObject({ status: 200, text: '{"status":"queued"}' });
      expect(asked()).toBe(0);
      expect(await polykeep.call(callSid)).toMatchObject({ outcome });
    },
  );

  it.each<Conclusion>(['not_found', 'rejected'])(
    'of a call that is %s asks PolyAI, and follows what it shows',
    async (outcome) => {
      await conclude(outcome);
      expect(await ask()).toMatchObject({ status: 404 });
      expect(await polykeep.call(callSid)).toMatchObject({ outcome });
      server.polyai.place({ callSid, script: FOREVER });
      expect(await ask()).toMatchObject({ status: 200 });
      await expect.poll(() => polykeep.call(callSid)).toMatchObject({ outcome: null, status: 'calling' });
    },
  );
});
