import { timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Account } from '../../accounts/account.ts';
import type { PolyAiApi, ScopedRequest } from '../../polyai/api.ts';
import { type KeyScope, sha256 } from '../door/api-keys.ts';

/** A request that the drop-in does not pass on, in the words of PolyAI's API. */
export class DropInError extends Error {
  override readonly name = 'DropInError';
  readonly statusCode: number;
  readonly code: string;

  constructor(statusCode: number, code: string, message: string) {
    super(message);
    this.statusCode = statusCode;
    this.code = code;
  }
}

/**
 * The account that a request to the drop-in is for: one whose PolyAI token it brings, or any with an API key
 * of at least the scope `needed`; with the Agents API that of the agent and environment it names. Throws `DropInError`
 * where there is none, or more than one.
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
  if (authorized.length === 0) throw new DropInError(401, 'unauthorized', 'Invalid or missing token');
  const scope = Object.entries(api.scopeOf(scoped));
  const inScope = authorized.filter(({ connection }) =>
    scope.every(([key, value]) => connection.scope[key] === value),
  );
  if (inScope.length === 0) {
    const asked = scope.map(([key, value]) => `${key} ${value}`).join(' and ');
    throw new DropInError(403, 'account_not_configured', `polykeep has no account for ${asked}`);
  }
  return named(request.headers['x-polykeep-account'], inScope);
}

/** Accounts may share a token; to guess which one is meant could place a call in the wrong region. */
function named(name: string | string[] | undefined, candidates: readonly Account[]): Account {
  const chosen = name === undefined ? candidates : candidates.filter((account) => account.name === name);
  const [account, ...more] = chosen;
  if (account !== undefined && more.length === 0) return account;
  const names = candidates.map((candidate) => candidate.name).join(', ');
  throw new DropInError(400, 'ambiguous_account', `X-Polykeep-Account: must name one of ${names}`);
}

function opens({ apiKey }: FastifyRequest, needed: KeyScope): boolean {
  if (apiKey === null) return false;
  if (needed === 'read' || apiKey.scope === 'write') return true;
  throw new DropInError(403, 'forbidden', `the API key ${apiKey.name} may only read`);
}

/** Told in a time that says nothing of where, or whether by length, they differ. */
function hasToken(given: string | string[] | undefined): (account: Account) => boolean {
  const digest = sha256(`${given ?? ''}`);
  return ({ connection }) => timingSafeEqual(digest, sha256(connection.token));
}
