import { describe, expect, it } from 'vitest';
import { verifyWebhook, WebhookVerificationError } from '../../src/client/client.ts';
import { createSecrets } from '../../src/push/secrets.ts';
import { signatureHeaders } from '../../src/push/signature.ts';

const MINUTE_MS = 60_000;
const secrets = createSecrets('a-root-of-secrets-that-is-long-enough');
const body =
  '{"type":"call.settled","timestamp":"2026-11-24T12:00:00.000Z","data":{"callSid":"one","note":"é"}}';
const before = { id: 'wh_1', rotations: [] };
const rotated = { id: 'wh_1', rotations: [new Date()] };
const later = { id: 'wh_1', rotations: [new Date(Date.now() - 25 * 60 * MINUTE_MS)] };

function signed(signer: typeof rotated, at = new Date()) {
  return signatureHeaders({ id: 'msg_1', at, body, keys: secrets.keys(signer, new Date()) });
}

describe('verifyWebhook', () => {
  it.each([
    ['text', body],
    ['bytes', Buffer.from(body)],
  ])('gives the event of what polykeep signed, as %s', (_, given) => {
    const verified = verifyWebhook({ body: given, headers: signed(rotated), secret: secrets.shown(rotated) });
    expect(verified).toEqual({ id: 'msg_1', event: JSON.parse(body) });
  });

  it('reads the headers of a Request', () => {
    const headers = new Headers(signed(rotated));
    expect(verifyWebhook({ body, headers, secret: secrets.shown(rotated) }).id).toBe('msg_1');
  });

  it('takes either secret in the day after a rotation, and then the new one alone', () => {
    for (const signer of [before, rotated])
      expect(verifyWebhook({ body, headers: signed(rotated), secret: secrets.shown(signer) }).id).toBe(
        'msg_1',
      );
    const old = () => verifyWebhook({ body, headers: signed(later), secret: secrets.shown(before) });
    expect(old).toThrow(WebhookVerificationError);
    const both = [secrets.shown(before), secrets.shown(later)];
    expect(verifyWebhook({ body, headers: signed(later), secret: both }).id).toBe('msg_1');
  });

  const headers = signed(rotated);
  const secret = secrets.shown(rotated);
  it.each([
    ['another body', { body: body.replace('one', 'two'), headers, secret }],
    ['another id', { body, headers: { ...headers, 'webhook-id': 'msg_2' }, secret }],
    ['a later time', { body, headers: { ...headers, 'webhook-timestamp': '9999999999' }, secret }],
    ['an old message', { body, headers: signed(rotated, new Date(Date.now() - 6 * MINUTE_MS)), secret }],
    ['one from the future', { body, headers: signed(rotated, new Date(Date.now() + 6 * MINUTE_MS)), secret }],
    ['no signature', { body, headers: {}, secret }],
    ['another secret', { body, headers, secret: 'whsec_c29tZXRoaW5n' }],
    ['no secret', { body, headers, secret: [] }],
  ])('refuses %s', (_, received) => {
    expect(() => verifyWebhook(received)).toThrow(WebhookVerificationError);
  });

  it('says of a body that was parsed, and of a secret that is none, what it has to be', () => {
    expect(() => verifyWebhook({ body: JSON.parse(body), headers, secret })).toThrow(
      /^body: must be the text/,
    );
    for (const none of ['whsec_@', undefined]) {
      // @ts-expect-error An environment variable that is not set.
      expect(() => verifyWebhook({ body, headers, secret: none })).toThrow(
        /^secret: must be that of a webhook/,
      );
    }
  });
});
