import type { Logger } from 'pino';
import { type Database, openDatabase } from '../archive/database.ts';
import type { Config } from '../config/config.ts';
import { startEmbeddedPostgres } from '../embedded-postgres/embedded-postgres.ts';
import { type PostgresUrls, unlessHung } from './common.ts';

/** What is done by one process at a time, as the sweeper: each of the five holds its lock on a connection. */
const LOCKS_AT_ONCE = 5;

/** The configured server, or the embedded one, which is started. */
export async function postgresUrls(
  config: Config,
  log: Logger,
  running: AsyncDisposableStack,
): Promise<PostgresUrls> {
  const { DATABASE_URL: pooled, DATABASE_DIRECT_URL: direct = pooled } = config;
  if (pooled !== undefined && direct !== undefined) return { pooled, direct };
  const embedded = await startEmbeddedPostgres({
    dataDir: config.DATA_DIR,
    port: config.EMBEDDED_POSTGRES_PORT ?? null,
    log: (message) => log.info(message),
  });
  running.defer(() => embedded.stop());
  return { pooled: embedded.url, direct: embedded.url };
}

export function isPooled({ pooled, direct }: PostgresUrls): boolean {
  return pooled !== direct;
}

/** One pool where the server is reached directly, else two. */
export function openDatabases(
  postgres: PostgresUrls,
  log: Logger,
  running: AsyncDisposableStack,
): { database: Database; direct: Database } {
  const database = openDatabase(postgres.pooled, log, { isPooled: isPooled(postgres) });
  running.defer(() => unlessHung(database.close()));
  if (!isPooled(postgres)) return { database, direct: database };
  const direct = openDatabase(postgres.direct, log, { max: LOCKS_AT_ONCE });
  running.defer(() => unlessHung(direct.close()));
  return { database, direct };
}
