import { tlsTrouble } from '../network/tls-errors.ts';
import { codeOf } from '../words.ts';
import { RowNotWrittenError } from './errors.ts';

/**
 * What follows from an error of Postgres, by its SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html).
 * Every decision on an error of Postgres' is made by this one table.
 */
export interface Consequences {
  /**
   * `again`: it may succeed later. `never`: Postgres refuses these very values. `apart`: nobody knows; it may be one
   * row's fault, so the reports of a batch are tried one by one.
   */
  readonly retry: 'again' | 'never' | 'apart';
  /** A request is answered 503: Postgres, and not the request, is at fault. */
  readonly isAway: boolean;
  /** Somebody has to change something; at the start there is nothing to wait for. */
  readonly isForOperator: boolean;
  /** `all unfit`: so are all connections that were made before, since the server behind them does other work now. */
  readonly connection: 'fit' | 'unfit' | 'all unfit';
}

const FOR_A_MOMENT = { isAway: true, isForOperator: false, retry: 'again' } as const;
const BUSY: Consequences = { ...FOR_A_MOMENT, connection: 'fit' };
const GONE: Consequences = { ...FOR_A_MOMENT, connection: 'unfit' };
const DEMOTED: Consequences = { ...FOR_A_MOMENT, connection: 'all unfit' };
const DENIED: Consequences = { retry: 'again', isAway: true, isForOperator: true, connection: 'unfit' };
const MISFIT: Consequences = { retry: 'again', isAway: false, isForOperator: true, connection: 'unfit' };
/** Of the server, as when transaction ids run out, or of these values, as where an index takes no key so long. */
const LIMIT: Consequences = { retry: 'apart', isAway: true, isForOperator: true, connection: 'fit' };
const REFUSED: Consequences = { retry: 'never', isAway: false, isForOperator: false, connection: 'fit' };
const UNKNOWN: Consequences = { retry: 'apart', isAway: false, isForOperator: false, connection: 'unfit' };

/** A code of five characters goes before its class, which is the first two. */
const TABLE: Readonly<Record<string, readonly [consequences: Consequences, meaning: string]>> = {
  '08': [GONE, 'the connection broke'],
  '0A': [GONE, 'not in this session: "cached plan must not change result type", after a migration'],
  '22': [REFUSED, 'a value that its type does not hold, or that the encoding has no character for'],
  '23': [REFUSED, 'a value that a constraint forbids'],
  '25': [GONE, 'the transaction is in no state for it, or was idle for too long (25P03)'],
  '25006': [DEMOTED, 'the server is read only: a standby, or one that was the primary before a failover'],
  '26': [GONE, 'the prepared statement is not of this session: a pooler has changed servers'],
  '28': [DENIED, 'no login with this role and password'],
  '3D': [DENIED, 'no such database'],
  '40': [BUSY, 'rolled back: a deadlock (40P01), or a conflict with another transaction (40001)'],
  '42': [MISFIT, 'the schema does not fit the statement'],
  '42501': [DENIED, 'the role has no right to it'],
  '42P05': [GONE, 'the prepared statement is of another session: a pooler has changed servers'],
  '53': [GONE, 'out of disk (53100), memory (53200) or connections (53300)'],
  '54000': [LIMIT, 'beyond a limit: transaction ids run out, or a value does not fit into an index'],
  '54': [REFUSED, 'beyond a limit of Postgres, such as the size of an index row'],
  '55': [BUSY, 'something is not in the state for it'],
  '55P03': [BUSY, 'a lock did not come in time'],
  '57': [GONE, 'the server or this session is being ended (57P01 to 57P05)'],
  '57014': [BUSY, 'cancelled: by the time-out of the statement, or by an operator'],
  '58': [GONE, 'the operating system failed Postgres'],
};

/** What pg says of a server that has no TLS. */
const NO_TLS = 'The server does not support SSL connections';

/**
 * What follows from the error. One without a SQLSTATE, as of a lost connection or a time-out here, is as class 08; but
 * one of our own code, which a value may have brought about, is unknown.
 */
export function consequencesOf(error: unknown): Consequences {
  const state = sqlState(error);
  if (state === null && isOfTls(error)) return DENIED;
  if (state === null) return isOurs(error) ? UNKNOWN : GONE;
  const [consequences] = TABLE[state] ?? TABLE[state.slice(0, 2)] ?? [UNKNOWN];
  return consequences;
}

/** Nobody comes to trust the server by waiting. */
function isOfTls(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (hasNoTls(error) || tlsTrouble(codeOf(error) ?? '') !== null) return true;
  return isOfTls(error.cause);
}

/** True where the server has no TLS, and the URL asks for it. */
export function hasNoTls(error: unknown): boolean {
  return error instanceof Error && (error.message === NO_TLS || hasNoTls(error.cause));
}

function isOurs(error: unknown): boolean {
  const isBug = error instanceof TypeError || error instanceof RangeError;
  return !(error instanceof Error) || isBug || error instanceof RowNotWrittenError;
}

/** True where Postgres refuses the statement's values: the same statement would fail again. */
export function isRefusal(error: unknown): boolean {
  return consequencesOf(error).retry === 'never';
}

/** True where nothing is wrong with the statement, but Postgres is away or does not do its work. */
export function isUnavailable(error: unknown): boolean {
  return consequencesOf(error).isAway;
}

/** True where there is no server to ask, for anybody: then `health.ts` tells of it, and nobody else needs to. */
export function isUnreachable(error: unknown): boolean {
  const state = sqlState(error);
  return state === null ? consequencesOf(error) === GONE : /^(08|57P)/.test(state);
}

/** SQLSTATE of an error from pg, also where drizzle has wrapped it; null for errors that are not Postgres'. */
export function sqlState(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if ('code' in error && 'severity' in error && typeof error.code === 'string') return error.code;
  return error.cause === undefined ? null : sqlState(error.cause);
}
