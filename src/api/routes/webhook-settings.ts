import { MAX_METADATA_BYTES } from '../../call/limits.ts';
import { TargetError, type Targets } from '../../push/targets.ts';
import { MAX_WEBHOOKS, type Webhook, type WebhookSettings } from '../../push/webhook.ts';
import { NoRootSecretError, TooManyWebhooksError } from '../../push/webhooks.ts';
import { problem } from '../problems.ts';
import type { WebhookBody, WebhookJson, WebhookPatchBody } from '../webhook-schemas.ts';
import type { AccountNames } from './registration.ts';

interface Checking {
  targets: Targets;
  accounts: Pick<AccountNames, 'has'>;
}

/** The checks that the schema of a body cannot say. Rejects with a `ProblemError` that names the field. */
export async function checkWebhook(
  { url, account, metadata = {} }: WebhookPatchBody,
  { targets, accounts }: Checking,
): Promise<void> {
  if (typeof account === 'string' && !accounts.has(account)) {
    throw problem.invalidField('account', 'is not a configured account');
  }
  if (Buffer.byteLength(JSON.stringify(metadata)) > MAX_METADATA_BYTES) {
    throw problem.invalidField('metadata', 'is larger than 8 KB');
  }
  if (url !== undefined) await checkUrl(url, targets);
}

async function checkUrl(text: string, targets: Targets): Promise<void> {
  const refuse = (detail: string): never => {
    throw problem.invalidField('url', detail);
  };
  if (!URL.canParse(text)) return refuse('is no URL');
  const { protocol, username, password } = new URL(text);
  if (protocol !== 'https:' && protocol !== 'http:') return refuse('must be https:// or http://');
  if (username !== '' || password !== '')
    return refuse('must not have a login: the signature says who we are');
  // An empty one is not in the parts of a URL.
  if (text.includes('#')) return refuse('must not have a fragment');
  try {
    await targets.wayTo(text);
  } catch (error) {
    if (!(error instanceof TargetError)) throw error;
    return refuse(error.message);
  }
}

export function settingsOf(body: WebhookBody): WebhookSettings {
  const { url, events, account = null, metadata = {}, description = null } = body;
  return { url, events, account, metadata: { ...metadata }, description };
}

/** What the archive refuses, as a problem. */
export function refused(error: unknown): never {
  if (error instanceof NoRootSecretError) throw problem.webhooksNotConfigured();
  if (error instanceof TooManyWebhooksError) {
    throw problem.invalidField('account', `has ${MAX_WEBHOOKS} webhooks already, and may have no more`);
  }
  throw error;
}

export function webhookJson(webhook: Webhook): WebhookJson {
  const { disabledAt, failingSince, createdAt, events, ...rest } = webhook;
  return {
    ...rest,
    events: [...events],
    disabledAt: disabledAt?.toISOString() ?? null,
    failingSince: failingSince?.toISOString() ?? null,
    createdAt: createdAt.toISOString(),
  };
}
