import { withClient } from './postgres-client.ts';

/** The archive's own id, made at its first migration. Rejects with what Postgres says. */
export async function archiveId(databaseUrl: string): Promise<string> {
  const { rows } = await withClient(databaseUrl, 'polykeep start', (client) =>
    client.query<{ id: string }>('select id from polykeep_internal.archive'),
  );
  const [row] = rows;
  if (row === undefined)
    throw new Error('the archive has no id: its table polykeep_internal.archive was emptied');
  return row.id;
}
