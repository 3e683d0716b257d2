import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import type { WebhookEvent } from './types.ts';

export { WebhookVerificationError };

export interface ReceivedWebhook {
  /** The very bytes that came, before anything parsed them. */
  body: string | Uint8Array;
  /** Those of a `Request`, or of a request of Node's. */
  headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Shown when the webhook was made; several are accepted, as the old and the new one in the day after a rotation. */
  secret: string | readonly string[];
}

const NAMES = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];

/**
 * The event, where it was signed with one of the secrets within the last five minutes. Throws a
 * `WebhookVerificationError` where it was not: answer that with 401; and a `TypeError` where the body was parsed before, or
 * the secret is none. `id` is the same at each attempt: keep it, to know an
 * event that comes again.
 */
export function verifyWebhook({ body, headers, secret }: ReceivedWebhook): {
  id: string;
  event: WebhookEvent;
} {
  const text = textOf(body);
  const signed = Object.fromEntries(NAMES.map((name) => [name, headerOf(headers, name)]));
  let refusal = new WebhookVerificationError('there is no secret to verify it with');
  for (const one of [secret].flat()) {
    try {
      const event = webhookOf(one).verify(text, signed);
      // Signed by polykeep, it is what polykeep says.
      if (isEvent(event)) return { id: signed['webhook-id'] ?? '', event };
      throw new WebhookVerificationError('it is signed, and no event');
    } catch (error) {
      if (!(error instanceof WebhookVerificationError)) throw error;
      refusal = error;
    }
  }
  throw refusal;
}

/** From JavaScript comes what a framework has made of the body, which cannot be verified any more. */
function textOf(body: unknown): string {
  if (typeof body === 'string') return body;
  if (body instanceof Uint8Array) return new TextDecoder().decode(body);
  throw new TypeError('body: must be the text or the bytes that came, before anything parsed them');
}

function webhookOf(secret: string): Webhook {
  try {
    return new Webhook(secret);
  } catch (cause) {
    throw new TypeError('secret: must be that of a webhook, as whsec_… was shown when it was made', {
      cause,
    });
  }
}

function headerOf(headers: ReceivedWebhook['headers'], name: string): string {
  const value = headers instanceof Headers ? headers.get(name) : headers[name];
  return typeof value === 'string' ? value : '';
}

function isEvent(event: unknown): event is WebhookEvent {
  return typeof event === 'object' && event !== null && 'type' in event && 'data' in event;
}
