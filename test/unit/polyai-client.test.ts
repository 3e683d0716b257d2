import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { outboundCallingApi as api } from '../../src/polyai/outbound-calling.ts';
import { createPolyAiClient, type PolyAiClient } from '../../src/polyai/polyai-client.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { PROTOCOLS } from '../support/protocols.ts';

const TOKEN = 'a-token-of-some-length';
const TRIGGER = {
  path: '/v1/outbound-calling',
  headers: { 'content-type': 'application/json' },
  body: Buffer.from('{"to_number":"+442079460000"}'),
};
const never = new AbortController().signal;

describe.each(PROTOCOLS)('over $name', ({ tls, allowH2 }) => {
  let polyai: Simulator;
  let client: PolyAiClient;

  beforeEach(async () => {
    polyai = await startSimulator({ token: TOKEN, tls });
    client = createPolyAiClient({
      baseUrl: polyai.url,
      api,
      scope: {},
      token: TOKEN,
      timeoutMs: 1_000,
      allowH2,
      connections: 4,
    });
  });

  afterEach(async () => {
    await client.destroy();
    await polyai.stop();
  });

  const status = (callSid: string) => client.getStatus(callSid, never, null);

  it('a status is read, and the same body gives the same object', async () => {
    const callSid = polyai.place();
    const observation = await status(callSid);
    expect(observation).toMatchObject({ status: 'queued' });
    expect(await client.getStatus(callSid, never, observation)).toBe(observation);
  });

  it.each([
    [404, undefined, 'not_found'],
    [404, '<h1>404 Not Found</h1>', 'unavailable'],
    [404, '', 'unavailable'],
    [404, '{"detail":"no route"}', 'unavailable'],
    [404, '["error"]', 'unavailable'],
    [400, undefined, 'rejected'],
    [400, 'Bad Request', 'unavailable'],
    [401, '<h1>Sign in</h1>', 'unauthorized'],
    [429, 'slow down', 'too_many'],
    [503, '{"error":"later"}', 'unavailable'],
  ])('a %i with the body %s is %s', async (code, body, failure) => {
    polyai.misbehave({ kind: 'status', code, ...(body === undefined ? {} : { body }) });
    await expect(status(polyai.place())).rejects.toMatchObject({ code: failure });
  });

  it('a failure’s message is of 300 characters at most, and never has the token', async () => {
    const error = `${'x'.repeat(280)}${TOKEN}\u{1F600}${'y'.repeat(1_000)}`;
    polyai.misbehave({ kind: 'status', code: 500, body: JSON.stringify({ error }) });
    const { message } = await status(polyai.place()).then(
      () => new Error('a status'),
      (reason: unknown) => (reason instanceof Error ? reason : new Error('no error')),
    );
    expect(message).toContain(`${'x'.repeat(280)}[token]`);
    expect(message).not.toContain(TOKEN);
    expect(message.length).toBeLessThanOrEqual(310);
    expect(message.isWellFormed()).toBe(true);
  });

  it('statuses are shown again as soon as what was frozen has timed out', async () => {
    const callSids = Array.from({ length: 60 }, () => polyai.place());
    const shown = async () => {
      const asked = await Promise.allSettled(callSids.map(status));
      return asked.filter(({ status }) => status === 'fulfilled').length;
    };
    expect(await shown()).toBe(60);
    expect(await shown()).toBe(60);
    polyai.freezeConnections();
    expect(await shown()).toBe(0);
    // Of connections that nothing was asked over meanwhile, nobody knows yet.
    await expect.poll(shown, { timeout: 20_000 }).toBe(60);
  });

  it('a trigger is not sent over a connection that was there before', async () => {
    for (let n = 1; n <= 3; n++) {
      expect(await client.trigger(TRIGGER)).toMatchObject({ statusCode: 200 });
      expect(polyai.triggers).toHaveLength(n);
      polyai.freezeConnections();
    }
  });

  it.each(['reset', 'placed-then-cut'] as const)(
    'a trigger whose answer was %s is sent once, and may have placed its call',
    async (kind) => {
      polyai.misbehaveTriggers({ kind });
      await expect(client.trigger(TRIGGER)).rejects.toMatchObject({ code: 'unavailable' });
      expect(polyai.triggers).toHaveLength(1);
    },
  );

  it('is closed once its answers are there; a trigger after that is not sent', async () => {
    polyai.misbehaveTriggers({ kind: 'delay', ms: 300 });
    polyai.misbehave({ kind: 'delay', ms: 300 });
    const pending = Promise.all([client.trigger(TRIGGER), status(polyai.place())]);
    await expect.poll(() => polyai.openRequests()).toBe(2);
    const closed = client.close();
    await expect(client.trigger(TRIGGER)).rejects.toMatchObject({ code: 'unreachable' });
    expect(await pending).toMatchObject([{ statusCode: 200 }, { status: 'queued' }]);
    await closed;
    expect(polyai.triggers).toHaveLength(1);
    await expect(status(polyai.place())).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('is closed though an answer never comes, within its time limit', async () => {
    polyai.misbehave({ kind: 'hang' });
    const pending = status(polyai.place()).catch(() => 'failed');
    await expect.poll(() => polyai.openRequests()).toBe(1);
    await client.close();
    expect(await pending).toBe('failed');
  });

  it('what is pending is broken off where it is destroyed', async () => {
    polyai.misbehaveTriggers({ kind: 'hang' });
    polyai.misbehave({ kind: 'hang' });
    const pending = Promise.allSettled([client.trigger(TRIGGER), status(polyai.place())]);
    await expect.poll(() => polyai.openRequests()).toBe(2);
    await client.destroy();
    expect((await pending).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});
