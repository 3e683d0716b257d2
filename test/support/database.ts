import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { inject } from 'vitest';
import { migrateDatabase } from '../../src/archive/schema/migrations.ts';
import { silentLog } from './log.ts';

export interface TestDatabase {
  url: string;
  /** Rows of a query, on a connection of its own. */
  query<Row extends object>(text: string, values?: unknown[]): Promise<Row[]>;
  drop(): Promise<void>;
}

/** An empty database in the run's Postgres, with polykeep's schema unless told otherwise. */
export async function createDatabase({ migrated = true } = {}): Promise<TestDatabase> {
  const server = inject('postgresUrl');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await run(server, `create database ${name}`);
  const url = Object.assign(new URL(server), { pathname: name }).href;
  if (migrated) await migrateDatabase(url, silentLog);
  return {
    url,
    query: (text, values) => run(url, text, values),
    drop: async () => void (await run(server, `drop database ${name} with (force)`)),
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
