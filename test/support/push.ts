import { openDatabase } from '../../src/archive/database.ts';
import { createNews, type News } from '../../src/archive/news.ts';
import { createRegistrar, type Registrar } from '../../src/archive/write/registrar.ts';
import { type ArchiveWriter, createWriter } from '../../src/archive/write/writer.ts';
import { readAllowance } from '../../src/push/allowance.ts';
import { MAX_UNDER_WAY } from '../../src/push/claims.ts';
import { createPoster, type Poster } from '../../src/push/post.ts';
import { createSecrets, type Secrets } from '../../src/push/secrets.ts';
import { createSender, type Sender, type SenderOptions } from '../../src/push/sender.ts';
import { createTargets, type Resolve } from '../../src/push/targets.ts';
import type { WebhookSettings } from '../../src/push/webhook.ts';
import { createWebhooks, type Webhooks } from '../../src/push/webhooks.ts';
import type { TestDatabase } from './database.ts';
import { silentLog } from './log.ts';
import { noMetrics } from './metrics.ts';
import type { Receiver } from './receiver.ts';
import { ROOT_SECRET } from './server.ts';

/** What tells webhooks, as a worker has it, on a database; with what writes to the archive beside it. */
export interface Pushing {
  registrar: Registrar;
  writer: ArchiveWriter;
  secrets: Secrets;
  webhooks: Webhooks;
  poster: Poster;
  news: News;
  /** A process that delivers, which has not begun yet. */
  sender(more?: Partial<SenderOptions>): Sender;
  /** Makes a webhook at the receiver, which then verifies by its secret. */
  connect(receiver: Receiver, settings?: Partial<WebhookSettings>): Promise<string>;
  stop(): Promise<void>;
}

export interface PushingOptions {
  allow?: string;
  resolve?: Resolve;
  answerWithinMs?: number;
  root?: string;
}

export function startPushing(
  { url }: Pick<TestDatabase, 'url'>,
  { allow, resolve, answerWithinMs, root = ROOT_SECRET }: PushingOptions = {},
): Pushing {
  const after = new AsyncDisposableStack();
  const log = silentLog;
  const { pool, close } = openDatabase(url, log);
  after.defer(close);
  const news = createNews({ url, log });
  after.defer(() => news.stop());
  const secrets = createSecrets(root);
  const webhooks = createWebhooks(pool, secrets);
  const targets = createTargets(readAllowance(allow ?? 'loopback', []), { resolve });
  const limits = answerWithinMs === undefined ? {} : { answerWithinMs };
  const poster = createPoster({ targets, connections: MAX_UNDER_WAY, ...limits });
  after.defer(() => poster.close());

  return {
    registrar: createRegistrar(pool),
    writer: createWriter({ pool, metrics: noMetrics, log }),
    secrets,
    webhooks,
    poster,
    news,
    sender(more = {}) {
      const sender = createSender({
        pool,
        news,
        archive: 'archive',
        secrets,
        poster,
        metrics: noMetrics,
        log,
        lookEveryMs: 50,
        ...more,
      });
      after.defer(() => sender.stop());
      return sender;
    },
    async connect(receiver, settings = {}) {
      const { webhook, secret } = await webhooks.create({
        url: receiver.url,
        events: ['call.settled', 'call.transition'],
        account: null,
        metadata: {},
        description: null,
        ...settings,
      });
      receiver.secret = secret;
      return webhook.id;
    },
    stop: () => after.disposeAsync(),
  };
}
