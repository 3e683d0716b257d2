import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import { Pool } from 'pg';
import type { Logger } from 'pino';
import { ArchiveUnavailableError, isUnavailable } from './errors.ts';
import { ignoreErrorEvents } from './postgres-client.ts';

export interface Database {
  pool: Pool;
  orm: NodePgDatabase;
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 5_000;
const QUERY_TIMEOUT_MS = 30_000;
/**
 * Postgres ends a transaction that a frozen worker has left open for 10 s, since others wait for its row locks; and it
 * sends times in the ISO format, the only one that pg reads. A statement sets both: a connection pooler may refuse them
 * as start-up parameters.
 */
const SESSION = `set idle_in_transaction_session_timeout = '10s'; set datestyle = 'ISO'`;

/** A pool that outlives Postgres: broken connections are dropped and made anew when they are next needed. */
export function openDatabase(url: string, log: Logger, { max = 10 }: { max?: number } = {}): Database {
  const pool = new Pool({
    connectionString: url,
    application_name: 'polykeep',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
    max,
    onConnect: async (client) => {
      await client.query(SESSION);
    },
  });
  pool.on('error', (error) => log.warn({ err: error }, 'idle Postgres connection lost'));
  pool.on('connect', ignoreErrorEvents);
  return { pool, orm: drizzle(pool), close: () => pool.end() };
}

/** Runs a query of a request: throws `ArchiveUnavailableError` where Postgres is away, anything else as it is. */
export async function answering<Result>(query: Promise<Result>): Promise<Result> {
  try {
    return await query;
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    throw new ArchiveUnavailableError('Postgres is not available', { cause: error });
  }
}
