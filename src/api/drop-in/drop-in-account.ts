import { timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Account } from '../../accounts/account.ts';
import type { PolyAiApi, ScopedRequest } from '../../polyai/api.ts';
import type { GivenToken } from '../door/access.ts';
import { type KeyScope, sha256 } from '../door/api-keys.ts';
import { problem } from '../problems.ts';

/**
 * The account that a request to the drop-in is for: one whose PolyAI token it brings, or any with an API key
 * of at least the scope `needed`; with the Agents API that of the agent and environment it names. Throws
 * `unauthorized`, `forbidden` or `account_not_configured` where there is none, `ambiguous_account` where there are more.
 */
export function accountOf(
  request: FastifyRequest,
  api: PolyAiApi,
  scoped: ScopedRequest,
  accounts: readonly Account[],
  needed: KeyScope,
): Account {
  const ofApi = accounts.filter(({ connection }) => connection.api === api);
  const authorized = opens(request, needed)
    ? ofApi
    : ofApi.filter(hasToken(request.headers[api.tokenHeader]));
  if (authorized.length === 0) throw problem.noPolyAiToken();
  const scope = Object.entries(api.scopeOf(scoped));
  const inScope = authorized.filter(({ connection }) =>
    scope.every(([key, value]) => connection.scope[key] === value),
  );
  if (inScope.length === 0) {
    const asked = scope.map(([key, value]) => `${key} ${textOf(value)}`).join(' and ');
    throw problem.accountNotConfigured(asked);
  }
  return named(request.headers['x-polykeep-account'], inScope);
}

/** The PolyAI token that a request brings, and the first account whose it is. Null where it brings none. */
export function givenToken(
  { headers }: FastifyRequest,
  api: PolyAiApi,
  accounts: readonly Account[],
): GivenToken | null {
  const token = headers[api.tokenHeader];
  if (typeof token !== 'string' || token === '') return null;
  const ofApi = accounts.filter(({ connection }) => connection.api === api);
  const [account] = ofApi.filter(hasToken(token));
  return { token, holder: account === undefined ? null : `the token of ${account.name}` };
}

/** An object of a client's JSON may have a `toString` that cannot be called. */
function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Accounts may share a token: a guess which of them is meant could place a call in the wrong region. */
function named(name: string | string[] | undefined, candidates: readonly Account[]): Account {
  const chosen = name === undefined ? candidates : candidates.filter((account) => account.name === name);
  const [account, ...more] = chosen;
  if (account !== undefined && more.length === 0) return account;
  throw problem.ambiguousAccount(candidates.map((candidate) => candidate.name));
}

function opens({ apiKey }: FastifyRequest, needed: KeyScope): boolean {
  if (apiKey === null) return false;
  if (needed === 'read' || apiKey.scope === 'write') return true;
  throw problem.keyMayOnlyRead(apiKey.name);
}

/** Compares digests: the time it takes tells neither where tokens differ nor how long they are. */
function hasToken(given: string | string[] | undefined): (account: Account) => boolean {
  const digest = sha256(`${given ?? ''}`);
  return ({ connection }) => timingSafeEqual(digest, sha256(connection.token));
}
