import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import type { FastifyInstance } from 'fastify';
import { Value } from 'typebox/value';
import { createPlacedCalls } from '../../src/api/drop-in/placed-calls.ts';
import { EXAMPLE_HEALTH_REPORT } from '../../src/api/examples.ts';
import { createFeedStream } from '../../src/api/feed-stream.ts';
import { HealthReportJson } from '../../src/api/schemas.ts';
import { createServer, type ServerOptions } from '../../src/api/server.ts';
import { createWaiting } from '../../src/api/waiting.ts';
import type { Database } from '../../src/archive/database.ts';
import { createExporter } from '../../src/archive/read/exporter.ts';
import { createFeed } from '../../src/archive/read/feed.ts';
import { createReader } from '../../src/archive/read/reader.ts';
import { createStats } from '../../src/archive/read/statistics.ts';
import { createEraser } from '../../src/archive/write/eraser.ts';
import { createMetadataEditor } from '../../src/archive/write/metadata.ts';
import { createRegistrar } from '../../src/archive/write/registrar.ts';
import { createWriter } from '../../src/archive/write/writer.ts';
import { readAllowance } from '../../src/push/allowance.ts';
import { createDeliveries } from '../../src/push/deliveries.ts';
import { createPoster } from '../../src/push/post.ts';
import { replay } from '../../src/push/replays.ts';
import { createSecrets } from '../../src/push/secrets.ts';
import { createTargets } from '../../src/push/targets.ts';
import { createWebhooks } from '../../src/push/webhooks.ts';
import { silentLog as log } from './log.ts';
import { noMetrics } from './metrics.ts';

/** Of all secrets of webhooks. */
export const ROOT_SECRET = 'the-root/of+all-secrets-of-webhooks=';

/** The host of the examples is a public one, also where there is no network. */
async function resolve(hostname: string): Promise<readonly LookupAddress[]> {
  return hostname === 'example.com'
    ? [{ address: '93.184.216.34', family: 4 }]
    : lookup(hostname, { all: true });
}

/** The API on an archive, with nothing behind it that follows calls. */
export function serverOn(
  { pool }: Pick<Database, 'pool'>,
  url: string,
  options: Partial<ServerOptions> = {},
): FastifyInstance {
  const registrar = createRegistrar(pool);
  const reader = createReader(pool);
  const feed = createFeed(pool);
  const { report } = createWriter({ pool, metrics: noMetrics, log });
  const followSoon = () => {};
  const secrets = createSecrets(ROOT_SECRET);
  const targets = createTargets(readAllowance('loopback', []), { resolve });
  return createServer({
    log,
    registrar,
    reader,
    feed,
    waiting: createWaiting({ reader, feed, news: { listen: () => {} }, log }),
    stream: createFeedStream({ feed, news: { listen: () => {} }, log }),
    eraser: createEraser(pool),
    metadata: createMetadataEditor(pool),
    stats: createStats(pool),
    exporter: createExporter({ url, atMost: 2 }),
    secrets,
    targets,
    poster: createPoster({ targets, connections: 1 }),
    webhooks: createWebhooks(pool, secrets),
    deliveries: createDeliveries(pool, 'archive', () => {}),
    replay: (webhook, span) => replay(pool, webhook, span),
    accounts: { has: () => true, fallback: 'default', all: () => [] },
    placedCalls: createPlacedCalls({ registrar, report, followSoon, log }),
    apiKeys: [],
    maxRequestsPerSecond: 1_000_000,
    maxConnections: Number.POSITIVE_INFINITY,
    queue: { state: async () => 'up' },
    jobs: null,
    metrics: async () => ({ body: '', contentType: 'text/plain' }),
    requests: noMetrics,
    followSoon,
    stopFollowing: () => {},
    healthReport: async () => Value.Parse(HealthReportJson, EXAMPLE_HEALTH_REPORT),
    page: [],
    readiness: async () => ({ postgres: 'up', queue: 'up', accounts: { default: 'active' } }),
    ...options,
  });
}
