import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import { Pool } from 'pg';
import type { Logger } from 'pino';
import { ignoreErrorEvents } from './client.ts';
import { ArchiveUnavailableError, isUnavailable } from './errors.ts';

export interface Database {
  pool: Pool;
  orm: NodePgDatabase;
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 5_000;
const QUERY_TIMEOUT_MS = 30_000;
/**
 * A frozen worker must not keep its row locks, on which the others' writes wait; and pg reads no times but ISO's. Not as
 * start-up parameters, which a connection pooler may refuse.
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
