import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns';
import { isIP } from 'node:net';
import { promisify } from 'node:util';
import { within } from '../clock.ts';
import { NO_PROXIES, type ProxyServer, type ProxySettings, proxyFor } from '../network/proxies.ts';
import { codeOf } from '../words.ts';
import { type Allowance, refusalOf } from './allowance.ts';

/** An endpoint is at an address that webhooks must not reach, or at none. */
export class TargetError extends Error {
  override readonly name = 'TargetError';
  readonly code: 'forbidden_address' | 'no_address';

  constructor(code: TargetError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** Finds all addresses of a name. Rejects with what the resolver says. */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>;

/** How an endpoint is reached: at addresses that were checked, or through a proxy, by its name. */
export type Way =
  | { kind: 'direct'; addresses: readonly LookupAddress[] }
  | { kind: 'proxy'; proxy: ProxyServer };

/** Where webhooks may go. */
export interface Targets {
  /**
   * The way to the host of a URL. A proxy is given the name: it may know names that are unknown here, and allow hosts by
   * them. So what it connects to is for the proxy to bound; what is known here to be forbidden is not asked of it. Rejects
   * with `TargetError`.
   */
  wayTo(url: string): Promise<Way>;
}

/** A resolver may be silent for half a minute. */
const RESOLVE_WITHIN_MS = 5_000;
/**
 * Look-ups run on four threads that the whole process shares, also for PolyAI's name: names that nobody answers for must
 * not take them all.
 */
const LOOKUPS_AT_ONCE = 2;

const resolveBySystem: Resolve = (hostname) =>
  promisify<string, LookupOptions & { all: true }, LookupAddress[]>(systemLookup)(hostname, { all: true });

/** `resolve`: for tests, the system's resolver else. */
export function createTargets(
  allowance: Allowance,
  {
    proxies = NO_PROXIES,
    resolve = resolveBySystem,
  }: { proxies?: ProxySettings; resolve?: Resolve | undefined } = {},
): Targets {
  const underWay = new Map<string, Promise<readonly LookupAddress[]>>();
  const waiting: (() => void)[] = [];
  let running = 0;

  /** One look-up for all who ask for the same name at a time. */
  function lookUp(hostname: string): Promise<readonly LookupAddress[]> {
    const known = underWay.get(hostname);
    if (known !== undefined) return known;
    const asked = inTurn(() => resolve(hostname)).finally(() => underWay.delete(hostname));
    underWay.set(hostname, asked);
    return asked;
  }

  async function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    if (running === LOOKUPS_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  }

  async function found(hostname: string): Promise<readonly LookupAddress[]> {
    const family = isIP(hostname);
    if (family !== 0) return [{ address: hostname, family }];
    const asked = lookUp(hostname);
    if (!(await within(RESOLVE_WITHIN_MS, asked))) {
      throw new TargetError('no_address', `${hostname} was not resolved in time`);
    }
    return asked.catch((error: unknown) => {
      throw new TargetError('no_address', `${hostname} has no address (${codeOf(error) ?? 'unknown'})`);
    });
  }

  async function addressesOf(hostname: string, isTls: boolean): Promise<readonly LookupAddress[]> {
    const name = plainName(hostname);
    const addresses = await found(name);
    if (addresses.length === 0) throw new TargetError('no_address', `${hostname} has no address`);
    // All of them: a name that also leads inside is not to be trusted with which one is taken.
    for (const { address } of addresses) {
      const refusal = refusalOf(allowance, { hostname: name, isTls }, address);
      if (refusal !== null) throw new TargetError('forbidden_address', refusal);
    }
    return addresses;
  }

  return {
    async wayTo(url) {
      const { protocol, hostname } = new URL(url);
      const checked = addressesOf(hostname, protocol === 'https:');
      const proxy = proxyFor(url, proxies);
      if (proxy === null) return { kind: 'direct', addresses: await checked };
      await checked.catch((error: unknown) => {
        if (!(error instanceof TargetError) || error.code === 'forbidden_address') throw error;
      });
      return { kind: 'proxy', proxy };
    },
  };
}

/** Without the brackets of an IPv6 address and the dot that may end a name. */
function plainName(hostname: string): string {
  return hostname
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase();
}
