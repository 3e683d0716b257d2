import { randomBytes } from 'node:crypto';
import type { Answer, Poster } from './post.ts';
import { keptOf } from './redaction.ts';
import { requestOf } from './request.ts';
import type { Secrets } from './secrets.ts';
import type { Signer } from './webhook.ts';

const NEVER_STOPPED = new AbortController().signal;

/** Sends an endpoint `webhook.test`, once, and gives what it answered. */
export async function sendTest(
  webhook: Signer & { url: string },
  { poster, secrets }: { poster: Poster; secrets: Secrets },
): Promise<Answer> {
  const now = new Date();
  const message = {
    id: `msg_${randomBytes(20).toString('base64url')}`,
    body: JSON.stringify({
      type: 'webhook.test',
      timestamp: now.toISOString(),
      data: { webhookId: webhook.id },
    }),
  };
  const keys = secrets.keys(webhook, now);
  const answer = await poster.post(requestOf(webhook, message, keys, now), NEVER_STOPPED);
  return { ...answer, text: keptOf(answer.text, keys) };
}
