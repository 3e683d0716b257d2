import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import type { PaceSettings } from '../call/pace.ts';
import type { Clock } from '../clock.ts';
import { NO_PROXIES, type ProxySettings, proxyFor } from '../network/proxies.ts';
import type { PolyAiApi, Scope } from '../polyai/api.ts';
import { createPolyAiClient } from '../polyai/polyai-client.ts';
import { type Account, type Connection, createAccount, type PollMetrics } from './account.ts';
import { createRateLimit } from './rate-limit.ts';
import type { RateExchange } from './rate-sharing.ts';

/** An account as it is configured. */
export interface AccountSettings {
  readonly name: string;
  readonly api: PolyAiApi;
  readonly baseUrl: string;
  readonly token: string;
  readonly scope: Scope;
  /** null: no limit is known. */
  readonly maxRequestsPerSecond: number | null;
  readonly pace: PaceSettings;
}

/** The accounts that are configured now. */
export interface Accounts {
  get(name: string): Account | undefined;
  has(name: string): boolean;
  all(): Account[];
  /** The account of a call that is registered without one: `default`, else the only one, else null. */
  readonly fallback: string | null;
  /**
   * Takes over a configuration that was read again: opens new accounts, reconnects those that changed, and closes those
   * that are gone. Calls of an account that is gone wait until it is back.
   */
  apply(settings: readonly AccountSettings[]): void;
  /** Breaks off all requests. Polls that wait for a slot get none. */
  close(): Promise<void>;
}

interface AccountsOptions {
  settings: readonly AccountSettings[];
  pollTimeoutMs: number;
  /** Whether HTTP/2 is spoken where PolyAI offers it. */
  http2?: boolean;
  /** To PolyAI, of all accounts together. */
  connections?: number;
  /** By which PolyAI is reached. */
  proxies?: ProxySettings;
  /** How processes tell each other of their rates; null where there is but one process. */
  exchange: RateExchange | null;
  metrics: PollMetrics;
  clock: Clock;
  log: Logger;
}

const DEFAULT_ACCOUNT = 'default';
/** Connections of one account that its polls share. */
const MOST_CONNECTIONS = 512;

export function createAccounts(options: AccountsOptions): Accounts {
  const { pollTimeoutMs, http2 = false, connections = Infinity, proxies = NO_PROXIES } = options;
  const { exchange, metrics, clock, log } = options;
  const accounts = new Map<string, { settings: AccountSettings; share: number; account: Account }>();

  function connect(settings: AccountSettings, share: number): Connection {
    const { api, scope, token, baseUrl, pace, maxRequestsPerSecond } = settings;
    const client = createPolyAiClient({
      baseUrl,
      api,
      scope,
      token,
      timeoutMs: pollTimeoutMs,
      allowH2: http2,
      connections: share,
      proxy: proxyFor(baseUrl, proxies),
    });
    return { api, scope, token, pace, maxRequestsPerSecond, client };
  }

  function open(settings: AccountSettings, share: number): Account {
    const { name, maxRequestsPerSecond: max } = settings;
    const limit = createRateLimit({ account: name, max, exchange, clock, log });
    limit.setAtOnce(share);
    return createAccount({ name, connection: connect(settings, share), limit, metrics, clock, log });
  }

  function apply(next: readonly AccountSettings[]): void {
    const names = new Set(next.map(({ name }) => name));
    for (const [name, { account }] of accounts) {
      if (names.has(name)) continue;
      accounts.delete(name);
      account.limit.stop();
      void account.connection.client.close();
      log.warn({ account: name }, 'account removed: its calls wait until it is back');
    }
    const share = Math.max(1, Math.min(MOST_CONNECTIONS, Math.floor(connections / next.length)));
    for (const settings of next) replace(settings, share);
  }

  function replace(settings: AccountSettings, share: number): void {
    const { name } = settings;
    const present = accounts.get(name);
    if (present === undefined) {
      accounts.set(name, { settings, share, account: open(settings, share) });
      log.info({ account: name, api: settings.api.name }, 'account configured');
    } else if (share !== present.share || !isDeepStrictEqual(present.settings, settings)) {
      const { account } = present;
      const before = account.connection;
      account.reconnect(connect(settings, share), isElsewhere(present.settings, settings));
      account.limit.setMax(settings.maxRequestsPerSecond);
      account.limit.setAtOnce(share);
      // Requests that are pending are still answered.
      void before.client.close();
      accounts.set(name, { settings, share, account });
      log.info({ account: name, api: settings.api.name }, 'account configured anew');
    }
  }

  apply(options.settings);

  return {
    get: (name) => accounts.get(name)?.account,
    has: (name) => accounts.has(name),
    all: () => [...accounts.values()].map(({ account }) => account),
    get fallback() {
      if (accounts.has(DEFAULT_ACCOUNT)) return DEFAULT_ACCOUNT;
      const [only, ...more] = accounts.keys();
      return only !== undefined && more.length === 0 ? only : null;
    },
    apply,
    async close() {
      for (const { account } of accounts.values()) account.limit.stop();
      await Promise.all([...accounts.values()].map(({ account }) => account.connection.client.destroy()));
    },
  };
}

/** Whether requests go to another PolyAI, or in another's name. */
function isElsewhere(before: AccountSettings, now: AccountSettings): boolean {
  return (
    before.baseUrl !== now.baseUrl ||
    before.api !== now.api ||
    before.token !== now.token ||
    !isDeepStrictEqual(before.scope, now.scope)
  );
}
