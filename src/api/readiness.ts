import type { Accounts } from '../accounts/accounts.ts';
import type { ArchiveHealth } from '../archive/health.ts';
import type { CallQueue } from '../queue/call-queue.ts';
import type { HealthJson } from './schemas.ts';

interface ReadinessOptions {
  archive: Pick<ArchiveHealth, 'check'>;
  queue: Pick<CallQueue, 'state'>;
  accounts: Pick<Accounts, 'all'>;
}

/** Returns a function that asks each part how it is, now: within some 6 s, whatever has fallen silent. */
export function createReadiness({ archive, queue, accounts }: ReadinessOptions) {
  return async (): Promise<HealthJson['parts']> => {
    const [isUp, queueState] = await Promise.all([archive.check(), queue.state()]);
    return {
      postgres: isUp ? 'up' : 'down',
      queue: queueState,
      accounts: Object.fromEntries(accounts.all().map(({ name, condition }) => [name, condition])),
    };
  };
}

/** What the parts come to: without Postgres nothing can be promised. */
export function statusOf({ postgres, queue, accounts }: HealthJson['parts']): HealthJson['status'] {
  if (postgres === 'down') return 'unavailable';
  const areFine = Object.values(accounts).every((condition) => condition === 'ok' || condition === 'limited');
  return queue === 'up' && areFine ? 'ok' : 'degraded';
}
