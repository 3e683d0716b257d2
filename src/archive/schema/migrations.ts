import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import type { Client } from 'pg';
import type { Logger } from 'pino';
import { PACKAGE_FOLDER } from '../../package-folder.ts';
import { wordsOf } from '../../words.ts';
import {
  DatabaseEncodingError,
  MigrationBlockedError,
  MigrationDeniedError,
  MigrationFailedError,
} from '../errors.ts';
import { refuseTransactionPooler } from '../pooler.ts';
import { closeClient, openClient } from '../postgres-client.ts';
import type { SessionLimits } from '../session.ts';
import { consequencesOf, sqlState } from '../sql-states.ts';
import { missingRight } from './rights.ts';
import { pendingMigrations } from './version.ts';

/** The database may be another application's too, which keeps its own migrations as Drizzle does by default. */
export const MIGRATIONS = {
  migrationsFolder: fileURLToPath(new URL('migrations', PACKAGE_FOLDER)),
  migrationsSchema: 'polykeep_internal',
  migrationsTable: 'migrations',
};
/** Any number, the same for all versions of polykeep: processes that start together migrate one after the other. */
const MIGRATION_LOCK = 7_066_521_390;
const RETRY_MS = 500;
/**
 * A migration may take long. But whoever writes to a table waits behind a migration that waits for it: so it waits
 * briefly, and makes room again.
 */
const LIMITS: SessionLimits = {
  statementMs: 7_200_000,
  lockMs: 3_000,
  answerMs: 7_260_000,
  silenceMs: 60_000,
};
const TABLE_LOCK_PAUSE_MS = 3_000;

interface MigrationPatience {
  /** For a Postgres that does not answer. */
  answerWithinMs?: number;
  /** For other sessions: one that migrates, or those that use the tables. */
  freeWithinMs?: number;
  /** Ends the wait for a Postgres that does not answer: then it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * Brings the schema up to date: all that is pending, or nothing. Throws `TransactionPoolerError`,
 * `DatabaseEncodingError`, `NewerDatabaseError`, `MigrationBlockedError`, `MigrationDeniedError`, `MigrationFailedError`,
 * and `PostgresConnectError`.
 */
export async function migrateDatabase(
  url: string,
  log: Logger,
  { answerWithinMs = 30_000, freeWithinMs = 600_000, signal }: MigrationPatience = {},
): Promise<void> {
  const client = await openPatiently(url, log, performance.now() + answerWithinMs, signal);
  let pending: string[];
  try {
    await refuseTransactionPooler(client, url);
    await refuseOtherEncoding(client);
    pending = await pendingMigrations(client);
  } finally {
    await closeClient(client);
  }
  // Where nothing is to be done, nothing is waited for: anyone who may connect can hold the lock.
  if (pending.length > 0) await applyPending(url, log, performance.now() + freeWithinMs);
}

async function applyPending(url: string, log: Logger, deadline: number): Promise<void> {
  const client = await openClient(url, 'polykeep migrate', LIMITS);
  try {
    await takeLock(client, log, deadline);
    // What another process has done by now is not ours to tell.
    const pending = await pendingMigrations(client);
    await applyWhenFree(client, log, deadline).catch((error: unknown) => explainDenied(client, error));
    for (const migration of pending) log.info({ migration }, 'migration applied');
  } finally {
    await closeClient(client);
  }
}

/** A database that is started together with its sidecar may be the slower of the two. */
async function openPatiently(
  url: string,
  log: Logger,
  deadline: number,
  signal?: AbortSignal,
): Promise<Client> {
  let said = '';
  for (;;) {
    try {
      return await openClient(url, 'polykeep migrate');
    } catch (error) {
      signal?.throwIfAborted();
      const { isAway, isForOperator } = consequencesOf(error);
      if (!isAway || isForOperator || performance.now() > deadline) throw error;
      // It is tried twice a second: one line for as long as nothing changes.
      if (wordsOf(error) !== said) log.warn({ err: error }, 'Postgres does not answer yet');
      said = wordsOf(error);
      await sleep(RETRY_MS);
      signal?.throwIfAborted();
    }
  }
}

/** Else the first status with a reason in another alphabet would be refused, long after the start. */
export async function refuseOtherEncoding(client: Client): Promise<void> {
  const { rows } = await client.query<{ database: string; encoding: string }>(
    `select current_database() as database, current_setting('server_encoding') as encoding`,
  );
  for (const { database, encoding } of rows) {
    if (encoding !== 'UTF8') throw new DatabaseEncodingError(database, encoding);
  }
}

/** For as long as the connection lives. */
async function takeLock(client: Client, log: Logger, deadline: number): Promise<void> {
  for (let tries = 1; ; tries++) {
    const { rows } = await client.query<{ locked: boolean; holder: number | null }>(
      `select pg_try_advisory_lock($1) as locked,
              (select pid from pg_locks
                where locktype = 'advisory' and granted and pid <> pg_backend_pid()
                  and database = (select oid from pg_database where datname = current_database())
                  and classid = ($1::bigint >> 32)::int and objid = ($1::bigint & 4294967295)
                limit 1) as holder`,
      [MIGRATION_LOCK],
    );
    const [{ locked, holder } = { locked: false, holder: null }] = rows;
    if (locked) return;
    if (tries === 1) log.info({ postgresPid: holder }, 'waiting for another process that migrates');
    if (performance.now() > deadline && holder !== null) {
      throw new MigrationBlockedError(
        `the lock for migrations is held by the Postgres session ${holder}: if that is no polykeep at work, end it (select pg_terminate_backend(${holder})) and start again`,
      );
    }
    await sleep(RETRY_MS);
  }
}

/** Drizzle applies all that is pending in one transaction: one that fails has changed nothing, and can begin anew. */
async function applyWhenFree(client: Client, log: Logger, deadline: number): Promise<void> {
  for (;;) {
    try {
      return await migrate(drizzle(client), MIGRATIONS);
    } catch (error) {
      // A lock that did not come in time, or a deadlock with those who hold it.
      if (!['55P03', '40P01'].includes(sqlState(error) ?? '')) throw error;
      if (performance.now() > deadline) {
        throw new MigrationBlockedError(
          'the migration did not get the tables it changes: end the long transactions of other sessions, and start again',
          { cause: error },
        );
      }
      log.warn({ err: error }, 'migration waits for a table that others use: trying again');
      await sleep(TABLE_LOCK_PAUSE_MS);
    }
  }
}

const FAILED = 'the schema could not be brought up to date, and is as it was';

/** Rejects with Postgres' own words, and with what to grant where it denied something. */
async function explainDenied(client: Client, error: unknown): Promise<never> {
  if (error instanceof MigrationBlockedError) throw error;
  const [state, words] = [sqlState(error), saidBy(error)];
  if (state !== null && state !== '42501')
    throw new MigrationFailedError(`${FAILED}: ${words} (${state})`, { cause: error });
  if (state === null) throw error;
  const help = await missingRight(client);
  throw new MigrationDeniedError(help === null ? words : `${words}: ${help}`, { cause: error });
}

/** Drizzle's own error says the statement, and what Postgres said is behind it. */
function saidBy(error: unknown): string {
  const said = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return said instanceof Error ? said.message : String(said);
}
