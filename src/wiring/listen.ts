import type { FastifyInstance } from 'fastify';
import { createPlacedCalls, type PlacedCalls } from '../api/drop-in/placed-calls.ts';
import { createFeedStream } from '../api/feed-stream.ts';
import { createHealthReport } from '../api/health-report.ts';
import { loadPage } from '../api/page-files.ts';
import { createReadiness } from '../api/readiness.ts';
import { type CoreOptions, createCoreServer, createServer } from '../api/server.ts';
import { createWaiting } from '../api/waiting.ts';
import { openDatabase } from '../archive/database.ts';
import { createExporter } from '../archive/read/exporter.ts';
import { createFeed } from '../archive/read/feed.ts';
import { createReader } from '../archive/read/reader.ts';
import { createStats } from '../archive/read/statistics.ts';
import { createEraser } from '../archive/write/eraser.ts';
import { createMetadataEditor } from '../archive/write/metadata.ts';
import { createRegistrar } from '../archive/write/registrar.ts';
import { within } from '../clock.ts';
import { connectionLimits, openFilesLimit } from '../open-files.ts';
import { PACKAGE_FOLDER } from '../package-folder.ts';
import { replay } from '../push/replays.ts';
import { createDispatch } from '../queue/dispatch.ts';
import { type Common, FLUSH_WITHIN_MS, unlessHung } from './common.ts';
import { listenOn } from './listen-on.ts';
import { isPooled } from './postgres.ts';

/** Where the build puts the page. */
const PAGE_FOLDER = new URL('dist/page/', PACKAGE_FOLDER);
/** Of what reads much: it must not take from Postgres what following calls needs. */
const STATS_AT_ONCE = 2;
const EXPORTS_AT_ONCE = 2;
const CLOSE_REQUESTS_MS = 1_000;
/** For an answer that was just given to reach its client. */
const LAST_WORDS_MS = 100;

/** Builds the API, and returns the URL it listens on. */
export async function listen(common: Common): Promise<string> {
  const { config, postgres, database, news, writer, accounts, push, unsettled, queue, jobs, log, running } =
    common;
  const registrar = createRegistrar(database.pool);
  const reader = createReader(database.pool);
  const feed = createFeed(database.pool);
  const { followSoon, stopFollowing } = createDispatch(queue, log);
  const placedCalls = createPlacedCalls({ registrar, report: writer.report, followSoon, log });
  const reports = openDatabase(postgres.pooled, log, {
    max: STATS_AT_ONCE,
    isPooled: isPooled(postgres),
  });
  running.defer(() => unlessHung(reports.close()));
  const core = coreOptions(common);
  const server = createServer({
    ...core,
    registrar,
    reader,
    feed,
    waiting: createWaiting({ reader, feed, news, log }),
    stream: createFeedStream({ feed, news, log }),
    eraser: createEraser(database.pool),
    metadata: createMetadataEditor(database.pool),
    stats: createStats(reports.pool),
    exporter: createExporter({ url: postgres.direct, atMost: EXPORTS_AT_ONCE }),
    accounts,
    statsBy: config.statsBy,
    ...push,
    replay: (webhook, span) => replay(database.pool, webhook, span),
    queue,
    jobs,
    placedCalls,
    followSoon,
    stopFollowing,
    healthReport: createHealthReport({ readiness: core.readiness, queue, accounts, unsettled }),
    page: await loadPage(PAGE_FOLDER),
  });
  running.defer(() => stopListening(server, placedCalls));
  return listenOn(server, { host: config.HOST, port: config.PORT, variable: 'PORT' });
}

/** Health and metrics of a worker, where it is given a port: null where not, so that many can run on one machine. */
export async function listenForOperators(common: Common): Promise<string | null> {
  const { HOST: host, WORKER_PORT: port } = common.config;
  if (port === undefined) return null;
  const server = createCoreServer(coreOptions(common));
  common.running.defer(() => stopAnswering(server));
  return listenOn(server, { host, port, variable: 'WORKER_PORT' });
}

function coreOptions({ config, archiveHealth, queue, accounts, metrics, log }: Common): CoreOptions {
  return {
    log,
    apiKeys: config.apiKeys,
    maxRequestsPerSecond: config.API_MAX_REQUESTS_PER_SECOND,
    maxConnections: connectionLimits(openFilesLimit()).api,
    requests: metrics.requests,
    metrics: metrics.text,
    readiness: createReadiness({ archive: archiveHealth, queue, accounts }),
  };
}

/** As below, of a server that nobody's trigger goes through. */
async function stopAnswering(server: FastifyInstance): Promise<void> {
  const closed = server.close();
  await within(CLOSE_REQUESTS_MS, closed);
  server.server.closeAllConnections();
  await closed;
}

/**
 * A client that keeps a connection open without a request, or half a request, must not hold up the end; one whose
 * trigger is under way is to learn of the call that it placed.
 */
async function stopListening(server: FastifyInstance, placedCalls: PlacedCalls): Promise<void> {
  const closed = server.close();
  await within(CLOSE_REQUESTS_MS, closed);
  await placedCalls.close(FLUSH_WITHIN_MS - CLOSE_REQUESTS_MS);
  await within(LAST_WORDS_MS, closed);
  server.server.closeAllConnections();
  await closed;
}
