import { Client } from 'pg';
import { makeReaderRole } from '../archive/reader-role.ts';
import type { Config } from '../config.ts';
import { archiveUrl } from './archive-url.ts';

/**
 * Makes a role that reads the schema reporting and nothing else; gives the URL it logs in with. Throws an `Error` of
 * one plain line where there is no database, where Postgres refuses, and as `makeReaderRole` does.
 */
export async function grantReader(
  config: Pick<Config, 'DATABASE_URL' | 'DATA_DIR'>,
  name: string,
): Promise<string> {
  const databaseUrl = await archiveUrl(config);
  const client = new Client({
    connectionString: databaseUrl,
    application_name: 'polykeep grant-reader',
    connectionTimeoutMillis: 5_000,
  });
  client.on('error', () => {});
  try {
    await client.connect().catch((error: Error) => {
      throw new Error(`Postgres does not answer (${reason(error)}): is polykeep running?`);
    });
    const password = await makeReaderRole(client, name);
    return Object.assign(new URL(databaseUrl), { username: name, password }).href;
  } finally {
    await client.end().catch(() => {});
  }
}

/** A connection that was tried on several addresses fails with no message of its own. */
function reason(error: Error): string {
  if (error.message !== '') return error.message;
  return 'code' in error ? String(error.code) : error.name;
}
