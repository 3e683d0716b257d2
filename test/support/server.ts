import type { FastifyInstance } from 'fastify';
import { createPlacedCalls } from '../../src/api/drop-in/placed-calls.ts';
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
import { silentLog as log } from './log.ts';
import { noMetrics } from './metrics.ts';

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
  return createServer({
    log,
    registrar,
    reader,
    feed,
    waiting: createWaiting({ reader, feed, news: { listen: () => {} }, log }),
    eraser: createEraser(pool),
    metadata: createMetadataEditor(pool),
    stats: createStats(pool),
    exporter: createExporter({ url, atMost: 2 }),
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
    readiness: async () => ({ postgres: 'up', queue: 'up', accounts: { default: 'active' } }),
    ...options,
  });
}
