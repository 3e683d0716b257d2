import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { ArchiveUnavailableError } from './errors.ts';
import { ArchivePool, type ArchivePoolOptions } from './pool.ts';
import { isUnavailable } from './sql-states.ts';

export interface Database {
  pool: Pool;
  close(): Promise<void>;
}

/** Of a process: what followers and requests share. */
const CONNECTIONS = 10;

/** A pool that outlives Postgres: broken connections are dropped and made anew when they are next needed. */
export function openDatabase(
  url: string,
  log: Logger,
  { max = CONNECTIONS, isPooled = false }: Partial<ArchivePoolOptions> = {},
): Database {
  const pool = new ArchivePool(url, { max, isPooled });
  // A Postgres that is away is told of once, by `health.ts`; this comes for each connection.
  pool.on('error', (error) => log.debug({ err: error }, 'idle Postgres connection lost'));
  return { pool, close: () => pool.end() };
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
