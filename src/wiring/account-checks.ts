import type { Logger } from 'pino';
import { checkAccount } from '../accounts/account-check.ts';
import type { Config } from '../config/config.ts';

const AT_ONCE = 10;

/**
 * Tries each account beside the start, which waits for nothing of it, and logs one line for each: whoever gave a wrong
 * token learns of it before there is a call.
 */
export function logAccountChecks(config: Config, log: Logger, running: AsyncDisposableStack): void {
  const ending = new AbortController();
  const waiting = [...config.accounts];
  const options = {
    timeoutMs: config.POLL_TIMEOUT_MS,
    http2: config.POLYAI_HTTP2,
    proxies: config.proxies,
    signal: ending.signal,
  };

  async function checkWaiting(): Promise<void> {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { isWell, line } = await checkAccount(next, options);
      if (isWell) log.info({ account: next.name, found: line }, 'account checked');
      else log.warn({ account: next.name, found: line }, 'account checked: its calls cannot be followed');
    }
  }

  const checks = Array.from({ length: AT_ONCE }, () =>
    checkWaiting().catch((error: unknown) => {
      if (!ending.signal.aborted) log.warn({ err: error }, 'accounts could not be checked');
    }),
  );
  running.defer(async () => {
    ending.abort();
    await Promise.all(checks);
  });
}
