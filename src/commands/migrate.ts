import { migrateDatabase } from '../archive/schema/migrations.ts';
import type { Config } from '../config/config.ts';
import { createLog } from '../log.ts';

/** `polykeep migrate`: throws as `migrateDatabase` does. */
export async function migrate({
  DATABASE_URL,
  DATABASE_DIRECT_URL,
  LOG_LEVEL,
}: Pick<Config, 'DATABASE_URL' | 'DATABASE_DIRECT_URL' | 'LOG_LEVEL'>): Promise<void> {
  const { log } = await createLog(LOG_LEVEL);
  // `readConfig` has refused the command without one.
  if (DATABASE_URL === undefined) return;
  await migrateDatabase(DATABASE_DIRECT_URL ?? DATABASE_URL, log);
  log.info('schema is up to date');
}
