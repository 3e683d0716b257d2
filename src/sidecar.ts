import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { createServer } from './api/server.ts';
import { type Database, openDatabase } from './archive/database.ts';
import { startEmbeddedPostgres } from './archive/embedded-postgres.ts';
import { migrateDatabase } from './archive/migrations.ts';
import { createOverdueCalls } from './archive/overdue.ts';
import { createReader } from './archive/reader.ts';
import { createRegistrar } from './archive/registrar.ts';
import { createWriter } from './archive/writer.ts';
import type { Config } from './config.ts';
import { createPolyAiClient } from './polyai/client.ts';
import { outboundCallingApi } from './polyai/outbound-calling.ts';
import { createBullmqQueue } from './queue/bullmq.ts';
import type { CallQueue } from './queue/call-queue.ts';
import { createInProcessQueue } from './queue/in-process.ts';
import { type Account, createAccount } from './tracking/account.ts';
import { systemClock } from './tracking/clock.ts';
import { createFollower, type FollowSettings } from './tracking/follow.ts';
import { lifecycle } from './tracking/lifecycle.ts';
import { longestPromise } from './tracking/pace.ts';
import { createSweeper } from './tracking/sweeper.ts';

/** `serve` is both in one process. */
export type Role = 'serve' | 'api' | 'worker';

export interface Sidecar {
  /** Where the API listens; null for a worker. */
  readonly url: string | null;
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
const FLUSH_WITHIN_MS = 4_000;
const CLOSE_REQUESTS_MS = 1_000;
/** What waits for a server that does not answer is left behind. */
const HUNG_MS = 1_000;

/** Builds the parts in order and starts them. Throws what the first one that fails says, with all others stopped. */
export async function startSidecar(options: SidecarOptions): Promise<Sidecar> {
  const running = new AsyncDisposableStack();
  try {
    const url = await start(options, running);
    options.log.info({ role: options.role, url }, 'polykeep runs');
    return { url, stop: () => running.disposeAsync() };
  } catch (error) {
    await running.disposeAsync();
    throw error;
  }
}

/** What is deferred to `running` is stopped in the opposite order. */
async function start(
  { config, role, log, redisPrefix = 'polykeep' }: SidecarOptions,
  running: AsyncDisposableStack,
): Promise<string | null> {
  const databaseUrl = config.DATABASE_URL ?? (await embeddedDatabase(config, log, running));
  await migrateDatabase(databaseUrl, log);
  const database = openDatabase(databaseUrl, log);
  running.defer(() => Promise.race([database.close(), sleep(HUNG_MS)]));

  const accounts = openAccounts(config, log, running);
  const queue = openQueue(config, log, redisPrefix);
  running.defer(() => queue.close());

  if (role !== 'api') await startFollowing({ config, database, accounts, queue, log, running });
  return role === 'worker' ? null : await listen({ config, database, accounts, queue, log, running });
}

async function embeddedDatabase(config: Config, log: Logger, running: AsyncDisposableStack): Promise<string> {
  const postgres = await startEmbeddedPostgres({
    dataDir: config.DATA_DIR,
    log: (message) => log.info(message),
  });
  running.defer(() => postgres.stop());
  return postgres.url;
}

function openAccounts(config: Config, log: Logger, running: AsyncDisposableStack): Map<string, Account> {
  const token = config.POLYAI_AUTH_TOKEN;
  const polyai = createPolyAiClient({
    baseUrl: config.POLYAI_BASE_URL,
    api: outboundCallingApi(token),
    token,
    timeoutMs: config.POLL_TIMEOUT_MS,
  });
  running.defer(() => polyai.close());
  return new Map([['default', createAccount({ name: 'default', polyai, clock: systemClock, log })]]);
}

function openQueue(config: Config, log: Logger, prefix: string): CallQueue {
  const concurrency = config.WORKER_CONCURRENCY;
  // Long enough for a poll, so that no call goes from lease to lease without one.
  const yieldAfterMs = config.POLL_INTERVAL_MAX_MS + config.POLL_TIMEOUT_MS;
  if (config.REDIS_URL === undefined) return createInProcessQueue({ concurrency, yieldAfterMs });
  return createBullmqQueue({ redisUrl: config.REDIS_URL, prefix, concurrency, yieldAfterMs, log });
}

interface Parts {
  config: Config;
  database: Database;
  accounts: ReadonlyMap<string, Account>;
  queue: CallQueue;
  log: Logger;
  running: AsyncDisposableStack;
}

async function startFollowing({ config, database, accounts, queue, log, running }: Parts): Promise<void> {
  const writer = createWriter({ pool: database.pool, lifecycle, log });
  // Runs before the queue is closed: followers that hand back while Postgres is away must not hold up the end.
  running.defer(() => writer.giveUpIn(FLUSH_WITHIN_MS));
  const settings: FollowSettings = {
    intervalMinMs: config.POLL_INTERVAL_MIN_MS,
    intervalMaxMs: config.POLL_INTERVAL_MAX_MS,
    backoffMaxMs: config.POLL_BACKOFF_MAX_MS,
    pollTimeoutMs: config.POLL_TIMEOUT_MS,
    leaseMs: config.LEASE_MS,
    notFoundGraceMs: config.NOT_FOUND_GRACE_MS,
    maxTrackingMs: config.MAX_TRACKING_MS,
  };
  const follow = createFollower({
    accounts,
    archive: writer,
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
}

async function listen({ config, database, accounts, queue, log, running }: Parts): Promise<string> {
  const server = createServer({
    log,
    registrar: createRegistrar(database.pool),
    reader: createReader(database.orm),
    accounts: new Set(accounts.keys()),
    followSoon: (callSids) => {
      if (callSids.length === 0) return;
      queue.enqueue(callSids).catch((error: unknown) => {
        log.warn(
          { err: error, calls: callSids.length },
          'queue is away: the sweeper will bring the calls in',
        );
      });
    },
    parts: async () => ({
      postgres: await isAnswering(database),
      queue: await queue.state(),
      accounts: Object.fromEntries(
        [...accounts.values()].map(({ name, paused }) => [name, paused ? 'paused' : 'active'] as const),
      ),
    }),
  });
  running.defer(async () => {
    // A client that keeps a connection open without a request, or half a request, must not hold up the end.
    const cut = setTimeout(() => server.server.closeAllConnections(), CLOSE_REQUESTS_MS);
    await server.close().finally(() => clearTimeout(cut));
  });
  return server.listen({ host: config.HOST, port: config.PORT });
}

async function isAnswering({ pool }: Database): Promise<'up' | 'down'> {
  return pool.query('select 1').then(
    () => 'up',
    () => 'down',
  );
}
