import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { messageOf } from '../../src/push/message.ts';
import { nextAttemptMs } from '../../src/push/schedule.ts';
import { createSecrets } from '../../src/push/secrets.ts';
import { signatureHeaders } from '../../src/push/signature.ts';

const HOUR = 60 * 60_000;
const secrets = createSecrets('a root of at least thirty-two characters');
const at = (ms: number) => new Date(Date.parse('2026-11-24T12:00:00Z') + ms);

function isVerified(secret: string, id: string, body: string, headers: Record<string, string>): boolean {
  try {
    return new Webhook(secret).verify(body, headers) !== undefined && headers['webhook-id'] === id;
  } catch {
    return false;
  }
}

describe('a signature', () => {
  it('is what the library of Standard Webhooks verifies, of any body', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.stringMatching(/^[\w-]{1,40}$/), (value, id) => {
        const body = JSON.stringify(value);
        const signer = { id: 'wh_1', rotations: [] };
        const headers = signatureHeaders({
          id,
          at: new Date(),
          body,
          keys: secrets.keys(signer, new Date()),
        });
        expect(isVerified(secrets.shown(signer), id, body, headers)).toBe(body !== undefined);
        expect(isVerified(secrets.shown({ id: 'wh_2', rotations: [] }), id, body, headers)).toBe(false);
      }),
    );
  });

  it('is by both secrets for a day after a rotation, and then by the new one alone', () => {
    const now = new Date();
    const ago = (hours: number) => new Date(now.getTime() - hours * HOUR);
    const old = secrets.shown({ id: 'wh', rotations: [] });
    const verifiedAfter = (hours: number) => {
      const signer = { id: 'wh', rotations: [ago(hours)] };
      const headers = signatureHeaders({ id: 'm', at: now, body: '{}', keys: secrets.keys(signer, now) });
      return [old, secrets.shown(signer)].map((secret) => isVerified(secret, 'm', '{}', headers));
    };
    expect(verifiedAfter(23.9)).toEqual([true, true]);
    expect(verifiedAfter(24.1)).toEqual([false, true]);
  });
});

describe('secrets', () => {
  it('are of 32 bytes, and another for each endpoint, rotation and root', () => {
    const other = createSecrets('another root of thirty-two characters, or more');
    const all = [
      secrets.shown({ id: 'a', rotations: [] }),
      secrets.shown({ id: 'a', rotations: [at(0)] }),
      secrets.shown({ id: 'b', rotations: [] }),
      other.shown({ id: 'a', rotations: [] }),
    ];
    expect(new Set(all).size).toBe(4);
    for (const secret of all) expect(Buffer.from(secret.slice('whsec_'.length), 'base64')).toHaveLength(32);
    expect(secrets.isOurs({ id: 'a', secretCheck: secrets.check('a') })).toBe(true);
    expect(secrets.isOurs({ id: 'a', secretCheck: other.check('a') })).toBe(false);
    expect(secrets.isOurs({ id: 'a', secretCheck: '' })).toBe(false);
  });
});

describe('a message', () => {
  const event = { event: 'call.settled', callId: '1', seq: 3, occurredAt: at(0) } as const;
  const history = (count: number) =>
    Array.from({ length: count }, () => `{"status":"${'x'.repeat(90)}"}`).join(',');

  it('has the same id whenever it is made, and another for another event', () => {
    const told = { ...event, json: '{"a":1}', history: '' };
    const id = messageOf('archive', told).id;
    expect(messageOf('archive', { ...told, json: '{"a":2}' }).id).toBe(id);
    const others = [
      messageOf('elsewhere', told),
      messageOf('archive', { ...told, callId: '2' }),
      messageOf('archive', { ...told, seq: 4 }),
      messageOf('archive', { ...told, event: 'call.transition' }),
      messageOf('archive', { ...told, occurredAt: at(1) }),
    ];
    expect(new Set([id, ...others.map((other) => other.id)]).size).toBe(6);
    expect(id).toMatch(/^msg_[\w-]{27}$/);
  });

  it('of more than 20 kB goes without transitions, and where that is not enough without metadata', () => {
    const json = '{"callSid":"a","metadata":{"k":"v"}}';
    const small = JSON.parse(messageOf('a', { ...event, json, history: history(100) }).body);
    expect(small.data.transitions).toHaveLength(100);
    const large = messageOf('a', { ...event, json, history: history(200) }).body;
    expect(JSON.parse(large).data).toEqual({ callSid: 'a', metadata: { k: 'v' }, truncated: true });
    const huge = JSON.stringify({ callSid: 'a', metadata: { k: 'é'.repeat(20_000) } });
    const cut = messageOf('a', { ...event, json: huge, history: '' }).body;
    expect(JSON.parse(cut).data).toEqual({ callSid: 'a', truncated: true });
    expect(Buffer.byteLength(large)).toBeLessThanOrEqual(20_000);
  });
});

it('ten attempts are made, over three days, each near its time', () => {
  const delays = Array.from({ length: 10 }, (_, index) => nextAttemptMs(index + 1, null, () => 0.5));
  const hours = delays.map((delay) => (delay === null ? null : Math.round((delay / HOUR) * 1000) / 1000));
  expect(hours).toEqual([0.001, 0.083, 0.5, 2, 5, 10, 14, 20, 24, null]);
  expect(nextAttemptMs(1, null, () => 0)).toBe(4_500);
  expect(nextAttemptMs(1, null, () => 1)).toBe(5_500);
  expect(nextAttemptMs(1, 60_000, () => 0)).toBe(60_000);
  expect(nextAttemptMs(2, 60_000, () => 0.5)).toBe(300_000);
  expect(nextAttemptMs(10, 60_000, () => 0.5)).toBeNull();
});
