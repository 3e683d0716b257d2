import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import { Client } from 'pg';
import type { Logger } from 'pino';
import { isUnavailable } from './errors.ts';

const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../migrations', import.meta.url));
/** Any number, the same for all versions of polykeep: processes that start together migrate one after the other. */
const MIGRATION_LOCK = 7_066_521_390;
const RETRY_MS = 500;

/** Brings the schema up to date. Throws what Postgres says, after `patienceMs` where Postgres does not answer. */
export async function migrateDatabase(url: string, log: Logger, patienceMs = 30_000): Promise<void> {
  const client = await connect(url, log, performance.now() + patienceMs);
  try {
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await migrate(drizzle(client), { migrationsFolder: MIGRATIONS_FOLDER });
  } finally {
    await client.end();
  }
}

/** A database that is started together with its sidecar may be the slower of the two. */
async function connect(url: string, log: Logger, deadline: number): Promise<Client> {
  for (;;) {
    const client = new Client({ connectionString: url, application_name: 'polykeep migrate' });
    client.on('error', () => {});
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.end().catch(() => {});
      if (!isUnavailable(error) || performance.now() > deadline) throw error;
      log.warn({ err: error }, 'Postgres does not answer yet');
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
