import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { createPlacedCalls, type PlacedCalls } from './api/placed-calls.ts';
import { createServer } from './api/server.ts';
import { createWaiting } from './api/waiting.ts';
import { type Database, openDatabase } from './archive/database.ts';
import { startEmbeddedPostgres } from './archive/embedded-postgres.ts';
import { createEraser } from './archive/eraser.ts';
import { createExporter } from './archive/exporter.ts';
import { createFeed } from './archive/feed.ts';
import { migrateDatabase } from './archive/migrations.ts';
import { createNews, type News } from './archive/news.ts';
import { createOverdueCalls } from './archive/overdue.ts';
import { createReader } from './archive/reader.ts';
import { createRegistrar } from './archive/registrar.ts';
import { createExpiredCalls } from './archive/retention.ts';
import { createStats } from './archive/stats.ts';
import { type ArchiveWriter, createWriter } from './archive/writer.ts';
import type { Config } from './config.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createBullmqQueue } from './queue/bullmq.ts';
import type { CallQueue } from './queue/call-queue.ts';
import { createInProcessQueue } from './queue/in-process.ts';
import { createRateExchange } from './queue/rate-exchange.ts';
import { connectRedis } from './queue/redis.ts';
import { type Accounts, createAccounts } from './tracking/accounts.ts';
import { systemClock } from './tracking/clock.ts';
import { createFollower, type FollowSettings } from './tracking/follow.ts';
import { lifecycle } from './tracking/lifecycle.ts';
import { longestPromise } from './tracking/pace.ts';
import type { RateExchange } from './tracking/rate-limit.ts';
import { createRetention } from './tracking/retention.ts';
import { createSweeper } from './tracking/sweeper.ts';

/** `serve` is both in one process. */
export type Role = 'serve' | 'api' | 'worker';

export interface Sidecar {
  /** Where the API listens; null for a worker. */
  readonly url: string | null;
  /** Takes over the accounts of a configuration that was read again. */
  reload(config: Config): void;
  /** Stops intake, lets followers hand back and what they saw be written, and closes everything. */
  stop(): Promise<void>;
}

export interface SidecarOptions {
  config: Config;
  role: Role;
  log: Logger;
  /** First part of every key in Redis. */
  redisPrefix?: string;
}

const SWEEP_EVERY_MS = 15_000;
/** How long a call that was swept up may wait for its turn before it is swept up again. */
const QUEUE_PATIENCE_MS = 60_000;
const RETENTION_EVERY_MS = 300_000;
/** Of what reads much: it must not take from Postgres what following calls needs. */
const STATS_AT_ONCE = 2;
const EXPORTS_AT_ONCE = 2;
const FLUSH_WITHIN_MS = 4_000;
const CLOSE_REQUESTS_MS = 1_000;
/** For an answer that was just given to reach its client. */
const LAST_WORDS_MS = 100;
/** What waits for a server that does not answer is left behind. */
const HUNG_MS = 1_000;

/** Builds the parts in order and starts them. Throws what the first one that fails says, with all others stopped. */
export async function startSidecar(options: SidecarOptions): Promise<Sidecar> {
  const running = new AsyncDisposableStack();
  try {
    const { url, accounts } = await start(options, running);
    options.log.info({ role: options.role, url }, 'polykeep runs');
    return {
      url,
      reload: (config) => accounts.apply(config.accounts),
      stop: () => running.disposeAsync(),
    };
  } catch (error) {
    await running.disposeAsync();
    throw error;
  }
}

/** What is deferred to `running` is stopped in the opposite order. */
async function start(
  { config, role, log, redisPrefix = 'polykeep' }: SidecarOptions,
  running: AsyncDisposableStack,
): Promise<{ url: string | null; accounts: Accounts }> {
  const databaseUrl = config.DATABASE_URL ?? (await embeddedDatabase(config, log, running));
  await migrateDatabase(databaseUrl, log);
  const database = openDatabase(databaseUrl, log);
  running.defer(() => Promise.race([database.close(), sleep(HUNG_MS)]));
  const news = createNews({ url: databaseUrl, log });
  running.defer(() => Promise.race([news.stop(), sleep(HUNG_MS)]));

  const metrics = createMetrics();
  const accounts = openAccounts({ config, log, redisPrefix, metrics, running });
  metrics.watch(accounts);
  const queue = openQueue(config, log, redisPrefix);
  running.defer(() => queue.close());

  const writer = createWriter({ pool: database.pool, lifecycle, log });
  const parts = { config, databaseUrl, database, news, writer, accounts, metrics, queue, log, running };
  if (role !== 'api') await startFollowing(parts);
  const url = role === 'worker' ? null : await listen(parts);
  // The first thing of the end: whoever waits for Postgres then has the same time left.
  running.defer(() => writer.giveUpIn(FLUSH_WITHIN_MS));
  return { url, accounts };
}

async function embeddedDatabase(config: Config, log: Logger, running: AsyncDisposableStack): Promise<string> {
  const postgres = await startEmbeddedPostgres({
    dataDir: config.DATA_DIR,
    log: (message) => log.info(message),
  });
  running.defer(() => postgres.stop());
  return postgres.url;
}

function openAccounts({
  config,
  log,
  redisPrefix,
  metrics,
  running,
}: Required<Pick<SidecarOptions, 'config' | 'log' | 'redisPrefix'>> & {
  metrics: Metrics;
  running: AsyncDisposableStack;
}): Accounts {
  const accounts = createAccounts({
    settings: config.accounts,
    pollTimeoutMs: config.POLL_TIMEOUT_MS,
    exchange: openExchange(config, log, redisPrefix, running),
    metrics,
    clock: systemClock,
    log,
  });
  running.defer(() => accounts.close());
  return accounts;
}

/** How processes that share an account's rate limit tell each other what they ask for. */
function openExchange(
  { REDIS_URL }: Config,
  log: Logger,
  prefix: string,
  running: AsyncDisposableStack,
): RateExchange | null {
  if (REDIS_URL === undefined) return null;
  const redis = connectRedis(REDIS_URL, { enableOfflineQueue: false, maxRetriesPerRequest: 1 }, log);
  running.defer(() => redis.disconnect());
  return createRateExchange({ redis, prefix });
}

function openQueue(config: Config, log: Logger, prefix: string): CallQueue {
  const concurrency = config.WORKER_CONCURRENCY;
  // Long enough for a poll, so that no call goes from lease to lease without one.
  const yieldAfterMs = longestInterval(config) + config.POLL_TIMEOUT_MS;
  if (config.REDIS_URL === undefined) return createInProcessQueue({ concurrency, yieldAfterMs });
  return createBullmqQueue({ redisUrl: config.REDIS_URL, prefix, concurrency, yieldAfterMs, log });
}

function longestInterval({ accounts }: Config): number {
  return Math.max(...accounts.map(({ pace }) => pace.intervalMaxMs));
}

interface Parts {
  config: Config;
  databaseUrl: string;
  database: Database;
  news: News;
  writer: ArchiveWriter;
  accounts: Accounts;
  metrics: Metrics;
  queue: CallQueue;
  log: Logger;
  running: AsyncDisposableStack;
}

async function startFollowing(parts: Parts): Promise<void> {
  const { config, database, writer, accounts, metrics, queue, log, running } = parts;
  const settings: FollowSettings = {
    intervalMinMs: config.POLL_INTERVAL_MIN_MS,
    intervalMaxMs: longestInterval(config),
    backoffMaxMs: config.POLL_BACKOFF_MAX_MS,
    pollTimeoutMs: config.POLL_TIMEOUT_MS,
    leaseMs: config.LEASE_MS,
    notFoundGraceMs: config.NOT_FOUND_GRACE_MS,
    maxTrackingMs: config.MAX_TRACKING_MS,
  };
  const follow = createFollower({
    accounts,
    archive: writer,
    metrics,
    lifecycle,
    clock: systemClock,
    random: Math.random,
    log,
    settings,
  });
  await queue.work(follow, () => !writer.isAway);
  const sweeper = createSweeper({
    overdue: createOverdueCalls({
      pool: database.pool,
      longestPromiseMs: longestPromise(settings),
      patienceMs: QUEUE_PATIENCE_MS,
    }),
    requeue: (callSids) => queue.requeue(callSids),
    everyMs: SWEEP_EVERY_MS,
    // Without Redis no other process can follow calls; what was promised was promised by a process that is gone.
    alone: config.REDIS_URL === undefined,
    clock: systemClock,
    log,
  });
  sweeper.start();
  running.defer(() => Promise.race([sweeper.stop(), sleep(HUNG_MS)]));
  startRetention(parts);
}

function startRetention({ config, database, log, running }: Parts): void {
  if (config.RETENTION_DAYS === undefined) return;
  const retention = createRetention({
    expired: createExpiredCalls({ pool: database.pool, retentionDays: config.RETENTION_DAYS }),
    everyMs: RETENTION_EVERY_MS,
    clock: systemClock,
    log,
  });
  retention.start();
  running.defer(() => Promise.race([retention.stop(), sleep(HUNG_MS)]));
}

async function listen(parts: Parts): Promise<string> {
  const { config, databaseUrl, database, news, writer, accounts, metrics, queue, log, running } = parts;
  const registrar = createRegistrar(database.pool);
  const reader = createReader(database.orm);
  const feed = createFeed(database.pool);
  const followSoon = (callSids: readonly string[]) => {
    if (callSids.length === 0) return;
    queue.enqueue(callSids).catch((error: unknown) => {
      log.warn({ err: error, calls: callSids.length }, 'queue is away: the sweeper will bring the calls in');
    });
  };
  const stopFollowing = (callSid: string) => {
    queue.remove(callSid).catch((error: unknown) => {
      log.debug({ callSid, err: error }, 'not taken out of the queue: its follower will find no call');
    });
  };
  const placedCalls = createPlacedCalls({ registrar, report: writer.report, followSoon, log });
  const reports = openDatabase(databaseUrl, log, { max: STATS_AT_ONCE });
  running.defer(() => Promise.race([reports.close(), sleep(HUNG_MS)]));
  const server = createServer({
    log,
    registrar,
    reader,
    feed,
    waiting: createWaiting({ reader, feed, news, log }),
    eraser: createEraser(database.pool),
    stats: createStats(reports.pool),
    exporter: createExporter({ url: databaseUrl, atMost: EXPORTS_AT_ONCE }),
    accounts,
    apiKeys: config.apiKeys,
    placedCalls,
    followSoon,
    stopFollowing,
    metrics: metrics.text,
    parts: async () => ({
      postgres: await isAnswering(database),
      queue: await queue.state(),
      accounts: Object.fromEntries(
        accounts.all().map(({ name, paused }) => [name, paused ? 'paused' : 'active'] as const),
      ),
    }),
  });
  running.defer(() => stopListening(server, placedCalls));
  return server.listen({ host: config.HOST, port: config.PORT });
}

/**
 * A client that keeps a connection open without a request, or half a request, must not hold up the end; one whose
 * trigger is under way is to learn of the call that it placed.
 */
async function stopListening(server: FastifyInstance, placedCalls: PlacedCalls): Promise<void> {
  const closed = server.close();
  await Promise.race([closed, sleep(CLOSE_REQUESTS_MS)]);
  await placedCalls.close(FLUSH_WITHIN_MS - CLOSE_REQUESTS_MS);
  await Promise.race([closed, sleep(LAST_WORDS_MS)]);
  server.server.closeAllConnections();
  await closed;
}

async function isAnswering({ pool }: Database): Promise<'up' | 'down'> {
  return pool.query('select 1').then(
    () => 'up',
    () => 'down',
  );
}
