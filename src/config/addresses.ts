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

/** What is wrong with the addresses of the environment: one plain line each, without the secrets in them. */
export function addressProblems(environment: Readonly<Record<string, unknown>>): string[] {
  const problems = Object.entries(READERS).flatMap(([name, read]) => {
    const address = environment[name];
    return typeof address === 'string' ? problemsOf(name, () => read(address)) : [];
  });
  if (environment.DATABASE_DIRECT_URL !== undefined && environment.DATABASE_URL === undefined) {
    problems.push('DATABASE_DIRECT_URL: means nothing without DATABASE_URL, which may be a pooler before it');
  }
  return problems;
}

function problemsOf(name: string, read: () => unknown): string[] {
  try {
    read();
    return [];
  } catch (error) {
    if (error instanceof AddressError) return [`${name}: ${error.message}`];
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
