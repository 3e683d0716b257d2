import { Gauge, type Registry } from 'prom-client';
import type { Account } from '../accounts/account.ts';
import type { Accounts } from '../accounts/accounts.ts';

/** Tells of every account that is configured when Prometheus asks. */
export function watchAccounts(registry: Registry, accounts: Pick<Accounts, 'all'>): void {
  function gauge(name: string, help: string, of: (account: Account) => number): void {
    new Gauge({
      name,
      help,
      labelNames: ['account'],
      registers: [registry],
      collect() {
        this.reset();
        for (const account of accounts.all()) this.set({ account: account.name }, of(account));
      },
    });
  }

  gauge(
    'polykeep_account_paused',
    '1 while PolyAI refuses the token of the account, as far as this process has polled: its calls wait.',
    ({ paused }) => (paused ? 1 : 0),
  );
  gauge(
    'polykeep_account_failing',
    '1 while no poll of the account is answered, as far as this process has polled.',
    ({ health }) => (health.state === 'failing' ? 1 : 0),
  );
  gauge(
    'polykeep_account_unproven',
    '1 while PolyAI answers this process and knows none of the account’s calls: nothing is concluded of them.',
    ({ health }) => (health.state === 'unproven' ? 1 : 0),
  );
  gauge(
    'polykeep_account_waiting_polls',
    'Polls that are due and wait for a slot under the rate limit, in this process.',
    ({ limit }) => limit.waiting,
  );
  gauge(
    'polykeep_account_rate_limit',
    'Requests per second that the account may make in all processes; +Inf where no limit is known.',
    ({ limit }) => limit.rate,
  );
}
