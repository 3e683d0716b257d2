import type { ClientBase } from 'pg';
import journal from '../../../migrations/meta/_journal.json' with { type: 'json' };
import { NewerDatabaseError } from '../errors.ts';
import { withClient } from '../postgres-client.ts';
import { sqlState } from '../sql-states.ts';

/**
 * Names of this version's migrations that the database has not had yet, oldest first. Throws `NewerDatabaseError`
 * where it has had one that this version does not know.
 */
export async function pendingMigrations(client: ClientBase): Promise<string[]> {
  const applied = await appliedMigrations(client);
  const known = new Set(journal.entries.map(({ when }) => when));
  if (applied.some((when) => !known.has(when))) throw new NewerDatabaseError();
  return journal.entries.filter(({ when }) => !applied.includes(when)).map(({ tag }) => tag);
}

/** For a command that changes nothing of the schema. Throws as `pendingMigrations` does. */
export async function refuseNewerDatabase(url: string): Promise<void> {
  await withClient(url, 'polykeep schema', pendingMigrations);
}

/** Each is known by the time it was made at. Not by its text: what was only reworded is the same. */
async function appliedMigrations(client: ClientBase): Promise<number[]> {
  try {
    const { rows } = await client.query<{ made_at: number }>(
      'select created_at::float8 as made_at from polykeep_internal.migrations',
    );
    return rows.map((row) => row.made_at);
  } catch (error) {
    // Never migrated (42P01, also without the schema), or read by a role that may not look (42501), as of one who only exports.
    if (['42P01', '42501'].includes(sqlState(error) ?? '')) return [];
    throw error;
  }
}
