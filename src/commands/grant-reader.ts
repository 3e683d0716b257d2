import { closeClient, openClient } from '../archive/postgres-client.ts';
import { makeReaderRole } from '../archive/schema/reader-role.ts';
import { pendingMigrations } from '../archive/schema/version.ts';
import { type ArchiveConfig, archiveUrl } from './archive-url.ts';

/**
 * Makes a role that reads the schema polykeep and nothing else; gives the URL it logs in with. Throws an `Error` of
 * one plain line where there is no database, where it is newer, where Postgres refuses, and as `makeReaderRole` does.
 */
export async function grantReader(config: ArchiveConfig, name: string): Promise<string> {
  const databaseUrl = await archiveUrl(config);
  const client = await openClient(databaseUrl, 'polykeep grant-reader');
  try {
    await pendingMigrations(client);
    const password = await makeReaderRole(client, name);
    return urlOf(databaseUrl, name, password);
  } finally {
    await closeClient(client);
  }
}

/** The same database, without whatever says who else may log in. */
function urlOf(databaseUrl: string, username: string, password: string): string {
  const url = new URL(databaseUrl);
  for (const name of ['user', 'password']) url.searchParams.delete(name);
  if (url.host !== '') return Object.assign(url, { username, password }).href;
  // Over a socket there is no place for them in front of the host.
  url.searchParams.set('user', username);
  url.searchParams.set('password', password);
  return url.href;
}
