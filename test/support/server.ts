import type { FastifyInstance } from 'fastify';
import { createPlacedCalls } from '../../src/api/placed-calls.ts';
import { createServer, type ServerOptions } from '../../src/api/server.ts';
import { createWaiting } from '../../src/api/waiting.ts';
import type { Database } from '../../src/archive/database.ts';
import { createEraser } from '../../src/archive/eraser.ts';
import { createExporter } from '../../src/archive/exporter.ts';
import { createFeed } from '../../src/archive/feed.ts';
import { createReader } from '../../src/archive/reader.ts';
import { createRegistrar } from '../../src/archive/registrar.ts';
import { createStats } from '../../src/archive/stats.ts';
import { createWriter } from '../../src/archive/writer.ts';
import { lifecycle } from '../../src/tracking/lifecycle.ts';
import { silentLog as log } from './log.ts';
import { noMetrics } from './metrics.ts';

/** The API on an archive, with nothing behind it that follows calls. */
export function serverOn(
  { pool, orm }: Database,
  url: string,
  options: Partial<ServerOptions> = {},
): FastifyInstance {
  const registrar = createRegistrar(pool);
  const reader = createReader(orm);
  const feed = createFeed(pool);
  const { report } = createWriter({ pool, lifecycle, metrics: noMetrics, log });
  const followSoon = () => {};
  return createServer({
    log,
    registrar,
    reader,
    feed,
    waiting: createWaiting({ reader, feed, news: { listen: () => {} }, log }),
    eraser: createEraser(pool),
    stats: createStats(pool),
    exporter: createExporter({ url, atMost: 2 }),
    accounts: { has: () => true, fallback: 'default', all: () => [] },
    placedCalls: createPlacedCalls({ registrar, report, followSoon, log }),
    apiKeys: [],
    maxRequestsPerSecond: 1_000_000,
    queue: { board: null, state: async () => 'up' },
    metrics: async () => ({ body: '', contentType: 'text/plain' }),
    requests: noMetrics,
    followSoon,
    stopFollowing: () => {},
    parts: async () => ({ postgres: 'up', queue: 'up', accounts: { default: 'active' } }),
    ...options,
  });
}
