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
export interface OpenDatabase extends TestDatabase, Pick<Database, 'pool' | 'orm'> {}

/** Has polykeep's schema. Every database of the run is a copy: to copy takes half as long as to migrate. */
export const TEMPLATE = 'polykeep_template';

/** An empty database in the run's Postgres, with polykeep's schema unless told otherwise. */
export async function createDatabase({ migrated = true } = {}): Promise<TestDatabase> {
  const server = inject('postgresUrl');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await run(server, `create database ${name}${migrated ? ` template ${TEMPLATE}` : ''}`);
  const url = Object.assign(new URL(server), { pathname: name }).href;
  return {
    url,
    query: (text, values) => run(url, text, values),
    drop: async () => void (await run(server, `drop database ${name} with (force)`)),
  };
}

/** As `createDatabase` makes one, opened. */
export async function openTestDatabase(): Promise<OpenDatabase> {
  const created = await createDatabase();
  const { pool, orm, close } = openDatabase(created.url, silentLog);
  return {
    ...created,
    pool,
    orm,
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
