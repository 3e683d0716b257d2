import type { Queue } from 'bullmq';
import type { Logger } from 'pino';
import { type Accounts, createAccounts } from '../accounts/accounts.ts';
import { createRateExchange } from '../accounts/rate-exchange.ts';
import type { RateExchange } from '../accounts/rate-sharing.ts';
import { openDatabase } from '../archive/database.ts';
import { createArchiveHealth } from '../archive/health.ts';
import { archiveId } from '../archive/identity.ts';
import { createNews } from '../archive/news.ts';
import { placeOfUrl } from '../archive/postgres-client.ts';
import { createUnfoldedChanges } from '../archive/read/unfolded.ts';
import { createUnsettledCalls } from '../archive/read/unsettled.ts';
import { migrateDatabase } from '../archive/schema/migrations.ts';
import { createWriter } from '../archive/write/writer.ts';
import { KNOWN_STATUSES } from '../call/lifecycle.ts';
import { systemClock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import { createMetrics, type Metrics } from '../metrics/all-metrics.ts';
import { connectionLimits, openFilesLimit } from '../open-files.ts';
import { readBacklog } from '../push/backlog.ts';
import type { CallQueue } from '../queue/call-queue.ts';
import { createInProcessQueue } from '../queue/in-process.ts';
import { type AccountChecks, createAccountChecks } from './account-checks.ts';
import { FLUSH_WITHIN_MS, longestInterval, unlessHung } from './common.ts';
import { startDelivering } from './deliver.ts';
import { listen, listenForOperators } from './listen.ts';
import { isPooled, openDatabases, postgresUrls } from './postgres.ts';
import { openPush } from './push.ts';
import { startFollowing } from './worker.ts';

/** `serve` is both in one process. */
export type Role = 'serve' | 'api' | 'worker';

export interface Sidecar {
  /** Where it listens; null for a worker without a port. */
  readonly url: string | null;
  /** Takes over the accounts of a configuration that was read again. */
  reload(config: Config): void;
  /** Stops intake, lets followers hand back and what they saw be written, and closes everything. */
  stop(): Promise<void>;
}

interface SidecarOptions {
  config: Config;
  role: Role;
  log: Logger;
  /** Ends a start that waits for Postgres: then it rejects with the signal's reason. */
  signal?: AbortSignal;
  /** How many lines of the log were dropped since the start. */
  droppedLines?: () => number;
  /** First part of every key in Redis; the second is the archive's id. */
  redisPrefix?: string;
}

/** Builds everything in order and starts it. Throws what the first one that fails says, with all others stopped. */
export async function startSidecar(options: SidecarOptions): Promise<Sidecar> {
  const running = new AsyncDisposableStack();
  try {
    const { url, accounts, checks } = await start(options, running);
    options.log.info({ role: options.role, url }, 'polykeep runs');
    return {
      url,
      reload({ accounts: settings }) {
        accounts.apply(settings);
        checks?.check(settings);
      },
      stop: () => running.disposeAsync(),
    };
  } catch (error) {
    await running.disposeAsync();
    throw error;
  }
}

/** What is deferred to `running` is stopped in the opposite order. */
async function start(
  { config, role, log, signal, droppedLines, redisPrefix = 'polykeep' }: SidecarOptions,
  running: AsyncDisposableStack,
): Promise<{ url: string | null; accounts: Accounts; checks: AccountChecks | null }> {
  const postgres = await postgresUrls(config, log, running);
  await migrateDatabase(postgres.direct, log, { signal });
  // Where that fails there is one thing to mend, and one line.
  const checks = role === 'api' ? null : createAccountChecks(config, log, running);
  checks?.check(config.accounts);
  const { database, direct } = openDatabases(postgres, log, running);
  const news = createNews({ url: postgres.direct, log });
  running.defer(() => unlessHung(news.stop()));

  const metrics = createMetrics(role, droppedLines);
  // Two deployments may share a Redis: neither may take the other's calls for its own. By the braces a cluster keeps
  // all keys of one archive on one server, which BullMQ's scripts need.
  const archive = await archiveId(postgres.direct);
  const prefix = `${redisPrefix}:{${archive}}`;
  const accounts = await openAccounts({ config, log, redisPrefix: prefix, metrics, running });
  const { queue, jobs } = await openQueue(config, log, prefix);
  running.defer(() => queue.close());

  const push = await openPush({ config, pool: database.pool, archive, log, running });
  const writer = createWriter({ pool: database.pool, metrics: metrics.writes, log });
  const archiveHealth = createArchiveHealth({
    pool: database.pool,
    writer,
    server: placeOfUrl(postgres.pooled),
    log,
  });
  archiveHealth.start();
  running.defer(() => archiveHealth.stop());
  // A scrape has a connection of its own: it takes none from the followers.
  const counting = openDatabase(postgres.pooled, log, { max: 1, isPooled: isPooled(postgres) });
  running.defer(() => unlessHung(counting.close()));
  const unsettled = createUnsettledCalls(counting.pool, KNOWN_STATUSES);
  const unfolded = createUnfoldedChanges(counting.pool);
  const backlog = () => readBacklog(counting.pool);
  metrics.watch({ accounts, writer, archive: archiveHealth, queue, unsettled, unfolded, backlog });
  const common = {
    config,
    postgres,
    database,
    direct,
    news,
    writer,
    archiveHealth,
    accounts,
    push,
    metrics,
    unsettled,
    queue,
    jobs,
    log,
    running,
  };
  if (role !== 'api') {
    await startFollowing(common);
    startDelivering(common);
  }
  const url = role === 'worker' ? await listenForOperators(common) : await listen(common);
  // The first thing of the end: whoever waits for Postgres then has the same time left.
  running.defer(() => writer.giveUpIn(FLUSH_WITHIN_MS));
  return { url, accounts, checks };
}

async function openAccounts({
  config,
  log,
  redisPrefix,
  metrics,
  running,
}: Required<Pick<SidecarOptions, 'config' | 'log' | 'redisPrefix'>> & {
  metrics: Metrics;
  running: AsyncDisposableStack;
}): Promise<Accounts> {
  const accounts = createAccounts({
    settings: config.accounts,
    pollTimeoutMs: config.POLL_TIMEOUT_MS,
    http2: config.POLYAI_HTTP2,
    connections: connectionLimits(openFilesLimit()).polyai,
    proxies: config.proxies,
    exchange: await openExchange(config, log, redisPrefix, running),
    metrics: metrics.polls,
    clock: systemClock,
    log,
  });
  running.defer(() => accounts.close());
  return accounts;
}

/** How processes that share an account's rate limit tell each other what they ask for. */
async function openExchange(
  { REDIS_URL }: Config,
  log: Logger,
  prefix: string,
  running: AsyncDisposableStack,
): Promise<RateExchange | null> {
  if (REDIS_URL === undefined) return null;
  const { connectRedis } = await import('../queue/redis.ts');
  const redis = connectRedis(REDIS_URL, { enableOfflineQueue: false, maxRetriesPerRequest: 1 }, log);
  running.defer(() => redis.disconnect());
  return createRateExchange({ redis, prefix });
}

/** BullMQ and its client of Redis are loaded where there is a Redis: they take 0.1 s and 14 MB. */
async function openQueue(
  config: Config,
  log: Logger,
  prefix: string,
): Promise<{ queue: CallQueue; jobs: Queue | null }> {
  const concurrency = config.WORKER_CONCURRENCY;
  // Long enough for a poll, so that no call goes from lease to lease without one.
  const yieldAfterMs = longestInterval(config) + config.POLL_TIMEOUT_MS;
  const { REDIS_URL: redisUrl } = config;
  if (redisUrl === undefined) {
    return { queue: createInProcessQueue({ concurrency, yieldAfterMs }), jobs: null };
  }
  const { createBullmqQueue } = await import('../queue/bullmq.ts');
  const queue = createBullmqQueue({ redisUrl, prefix, concurrency, yieldAfterMs, log });
  return { queue, jobs: queue.jobs };
}
