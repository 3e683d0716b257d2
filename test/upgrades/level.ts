import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import { Client } from 'pg';
import journal from '../../migrations/meta/_journal.json' with { type: 'json' };
import { MIGRATIONS } from '../../src/archive/schema/migrations.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';

/** The names of all migrations, oldest first. */
export const LEVELS = journal.entries.map(({ tag }) => tag);

/** A database whose newest migration is the one of that name. */
export async function databaseAt(level: string): Promise<TestDatabase> {
  const database = await createDatabase({ migrated: false });
  const folder = await mkdtemp(join(tmpdir(), 'polykeep-migrations-'));
  const client = new Client({ connectionString: database.url });
  try {
    await cp(MIGRATIONS.migrationsFolder, folder, { recursive: true });
    const entries = journal.entries.slice(0, LEVELS.indexOf(level) + 1);
    await writeFile(join(folder, 'meta/_journal.json'), JSON.stringify({ ...journal, entries }));
    await client.connect();
    await migrate(drizzle(client), { ...MIGRATIONS, migrationsFolder: folder });
  } finally {
    await client.end();
    await rm(folder, { recursive: true });
  }
  return database;
}
