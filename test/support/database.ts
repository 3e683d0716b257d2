import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { inject } from 'vitest';
import { type Database, openDatabase } from '../../src/archive/database.ts';
import { silentLog } from './log.ts';

export interface TestDatabase {
  url: string;
  /** Rows of a query, on a connection of its own. */
  query<Row extends object>(text: string, values?: unknown[]): Promise<Row[]>;
  drop(): Promise<void>;
}

/** A database that is opened as polykeep opens it; `drop` closes it as well. */
export interface OpenDatabase extends TestDatabase, Pick<Database, 'pool'> {}

/** Has polykeep's schema. Every database of the run is a copy: to copy takes half as long as to migrate. */
export const TEMPLATE = 'polykeep_template';

/** An empty database in the run's Postgres, with polykeep's schema unless told otherwise, and UTF8 as well. */
export async function createDatabase({
  migrated = true,
  encoding = 'UTF8',
}: {
  migrated?: boolean;
  encoding?: string;
} = {}): Promise<TestDatabase> {
  const server = inject('postgresUrl');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const template = migrated ? TEMPLATE : 'template0';
  await run(
    server,
    encoding === 'UTF8'
      ? `create database ${name} template ${template}`
      : `create database ${name} template template0 encoding '${encoding}' lc_collate 'C' lc_ctype 'C'`,
  );
  const url = Object.assign(new URL(server), { pathname: name }).href;
  // A copy has the id of its original, and would share its keys in Redis.
  if (migrated && encoding === 'UTF8')
    await run(url, 'update polykeep_internal.archive set id = gen_random_uuid()');
  return {
    url,
    query: (text, values) => run(url, text, values),
    drop: async () => void (await run(server, `drop database ${name} with (force)`)),
  };
}

/** As `createDatabase` makes one, opened. */
export async function openTestDatabase(): Promise<OpenDatabase> {
  const created = await createDatabase();
  const { pool, close } = openDatabase(created.url, silentLog);
  return {
    ...created,
    pool,
    async drop() {
      await close();
      await created.drop();
    },
  };
}

async function run<Row extends object>(url: string, text: string, values?: unknown[]): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<Row>(text, values)).rows;
  } finally {
    await client.end();
  }
}
