import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { newsTeller } from '../archive/news.ts';
import type { Config } from '../config/config.ts';
import { MAX_UNDER_WAY } from '../push/claims.ts';
import { createDeliveries, type Deliveries } from '../push/deliveries.ts';
import { createPoster, type Poster } from '../push/post.ts';
import { rootSecretIn } from '../push/root-secret.ts';
import { createSecrets, type Secrets } from '../push/secrets.ts';
import { createTargets, type Targets } from '../push/targets.ts';
import { createWebhooks, type Webhooks } from '../push/webhooks.ts';

/** What all roles have of webhooks. */
export interface Push {
  /** The archive's id. */
  archive: string;
  /** null where there is no root that they are derived from. */
  secrets: Secrets | null;
  targets: Targets;
  poster: Poster;
  webhooks: Webhooks;
  deliveries: Deliveries;
}

interface PushOptions {
  config: Config;
  pool: Pool;
  archive: string;
  log: Logger;
  running: AsyncDisposableStack;
}

export async function openPush({ config, pool, archive, log, running }: PushOptions): Promise<Push> {
  const root = await rootSecret(config);
  const secrets = root === null ? null : createSecrets(root);
  const targets = createTargets(config.webhooksAllow, { proxies: config.proxies });
  const poster = createPoster({ targets, connections: MAX_UNDER_WAY });
  running.defer(() => poster.close());
  return {
    archive,
    secrets,
    targets,
    poster,
    webhooks: createWebhooks(pool, secrets),
    deliveries: createDeliveries(pool, archive, newsTeller(pool, log, 'deliveries')),
  };
}

/**
 * Beside the embedded Postgres the root is in the same folder: neither is there without the other. Processes that share
 * a Postgres are on machines with folders of their own, and each would make another one.
 */
async function rootSecret({ WEBHOOKS_SECRET, DATABASE_URL, DATA_DIR }: Config): Promise<string | null> {
  if (WEBHOOKS_SECRET !== undefined) return WEBHOOKS_SECRET;
  return DATABASE_URL === undefined ? rootSecretIn(DATA_DIR) : null;
}
