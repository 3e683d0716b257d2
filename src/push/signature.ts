import { createHmac } from 'node:crypto';

interface Signed {
  /** The same for all attempts of one event. */
  id: string;
  at: Date;
  body: string;
  /** The newest first. */
  keys: readonly Buffer[];
}

/** The headers of Standard Webhooks (https://github.com/standard-webhooks/standard-webhooks). */
export function signatureHeaders({ id, at, body, keys }: Signed): Record<string, string> {
  const timestamp = `${Math.floor(at.getTime() / 1000)}`;
  const signatures = keys.map((key) => {
    const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
    return `v1,${signature}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  };
}
