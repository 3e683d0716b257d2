import { AddressError } from '../network/address-error.ts';
import { postgresAddressOf } from '../network/postgres-url.ts';
import { readProxy } from '../network/proxies.ts';
import { redisServersOf } from '../network/redis-url.ts';

/** The variables that hold an address, each with what reads it. */
const READERS: Readonly<Record<string, (address: string) => unknown>> = {
  DATABASE_URL: postgresAddressOf,
  DATABASE_DIRECT_URL: postgresAddressOf,
  REDIS_URL: redisServersOf,
  HTTPS_PROXY: readProxy,
  HTTP_PROXY: readProxy,
};

interface AddressProblem {
  name: string;
  problem: string;
}

/**
 * What is wrong with the addresses of the environment: one plain line each, without the secrets in them. `unread` are
 * variables that are given, and of which nothing more is known.
 */
export function addressProblems(
  environment: Readonly<Record<string, unknown>>,
  unread: readonly string[],
): AddressProblem[] {
  const problems = Object.entries(READERS).flatMap(([name, read]) => {
    const address = environment[name];
    const problem = typeof address === 'string' ? problemOf(() => read(address)) : null;
    return problem === null ? [] : [{ name, problem }];
  });
  const isWithoutPooler = environment.DATABASE_URL === undefined && !unread.includes('DATABASE_URL');
  if (environment.DATABASE_DIRECT_URL !== undefined && isWithoutPooler) {
    const problem = 'means nothing without DATABASE_URL, which may be a pooler before it';
    problems.push({ name: 'DATABASE_DIRECT_URL', problem });
  }
  return problems;
}

function problemOf(read: () => unknown): string | null {
  try {
    read();
    return null;
  } catch (error) {
    if (error instanceof AddressError) return error.message;
    throw error;
  }
}

/** Programs of Unix spell these in small letters too, and take those first. */
export function proxyVariables(environment: Readonly<Record<string, string | undefined>>) {
  const names = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY'];
  return Object.fromEntries(
    names.map((name) => [name, environment[name.toLowerCase()] || environment[name]]),
  );
}
