import type { Pool } from 'pg';
import type { Accounts } from '../accounts/accounts.ts';
import type { CallQueue } from '../queue/call-queue.ts';
import type { HealthJson } from './schemas.ts';

interface ReadinessOptions {
  pool: Pool;
  queue: Pick<CallQueue, 'state'>;
  accounts: Pick<Accounts, 'all'>;
}

/** Returns a function that asks each part how it is, now. */
export function createReadiness({ pool, queue, accounts }: ReadinessOptions) {
  return async (): Promise<HealthJson['parts']> => ({
    postgres: await postgresState(pool),
    queue: await queue.state(),
    accounts: Object.fromEntries(
      accounts.all().map(({ name, paused }) => [name, paused ? 'paused' : 'active'] as const),
    ),
  });
}

async function postgresState(pool: Pool): Promise<'up' | 'down'> {
  return pool.query('select 1').then(
    () => 'up',
    () => 'down',
  );
}
