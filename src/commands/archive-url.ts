import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';

/** The variable that says where the archive is, which a command tells people of. */
export function variableOf(environment: Readonly<Record<string, string | undefined>>): string {
  const names = ['DATABASE_DIRECT_URL', 'DATABASE_DIRECT_URL_FILE', 'DATABASE_URL', 'DATABASE_URL_FILE'];
  return names.find((name) => environment[name]) ?? 'DATA_DIR: does polykeep run?';
}

/** What says which archive a command works on. */
export type ArchiveConfig = Pick<Config, 'DATABASE_URL' | 'DATABASE_DIRECT_URL' | 'DATA_DIR'>;

/**
 * Of the archive that a command works on: the server itself where DATABASE_URL is a pooler, or the embedded Postgres of
 * a polykeep that runs.
 */
export async function archiveUrl({
  DATABASE_URL,
  DATABASE_DIRECT_URL,
  DATA_DIR,
}: ArchiveConfig): Promise<string> {
  if (DATABASE_DIRECT_URL !== undefined) return DATABASE_DIRECT_URL;
  if (DATABASE_URL !== undefined) return DATABASE_URL;
  const path = join(DATA_DIR, 'database-url');
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch {
    throw new Error(`no archive: DATABASE_URL is not set, and there is no ${path} of a polykeep that runs`);
  }
}
