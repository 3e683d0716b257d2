import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';

/** Of the archive that a command works on: DATABASE_URL, or the embedded Postgres of a polykeep that runs. */
export async function archiveUrl({
  DATABASE_URL,
  DATA_DIR,
}: Pick<Config, 'DATABASE_URL' | 'DATA_DIR'>): Promise<string> {
  if (DATABASE_URL !== undefined) return DATABASE_URL;
  const path = join(DATA_DIR, 'database-url');
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch {
    throw new Error(`no archive: DATABASE_URL is not set, and there is no ${path} of a polykeep that runs`);
  }
}
