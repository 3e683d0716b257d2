import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { checkAccount } from '../accounts/account-check.ts';
import type { AccountSettings } from '../accounts/accounts.ts';
import type { Config } from '../config/config.ts';

const AT_ONCE = 10;

export interface AccountChecks {
  /** Tries those that are new, or other than they were when they were tried last, and logs one line for each. */
  check(accounts: readonly AccountSettings[]): void;
}

/**
 * Tries accounts beside everything else, which waits for nothing of it: whoever gave a wrong token learns of it before
 * there is a call.
 */
export function createAccountChecks(
  config: Config,
  log: Logger,
  running: AsyncDisposableStack,
): AccountChecks {
  const ending = new AbortController();
  let known = new Map<string, AccountSettings>();
  let underWay: Promise<unknown> = Promise.resolve();
  const options = {
    timeoutMs: config.POLL_TIMEOUT_MS,
    http2: config.POLYAI_HTTP2,
    proxies: config.proxies,
    signal: ending.signal,
  };
  running.defer(async () => {
    ending.abort();
    await underWay;
  });

  async function checkAll(waiting: AccountSettings[]): Promise<void> {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { isWell, line } = await checkAccount(next, options);
      if (isWell) log.info({ account: next.name, found: line }, 'account checked');
      else log.warn({ account: next.name, found: line }, 'account checked: its calls cannot be followed');
    }
  }

  return {
    check(accounts) {
      const waiting = accounts.filter((account) => !isDeepStrictEqual(known.get(account.name), account));
      known = new Map(accounts.map((account) => [account.name, account]));
      const checks = Array.from({ length: Math.min(AT_ONCE, waiting.length) }, () =>
        checkAll(waiting).catch((error: unknown) => {
          if (!ending.signal.aborted) log.warn({ err: error }, 'accounts could not be checked');
        }),
      );
      underWay = Promise.all([underWay, ...checks]);
    },
  };
}
