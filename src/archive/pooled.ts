import { Client, type ClientConfig } from 'pg';
import { USUAL_LIMITS } from './session.ts';

/**
 * A connection to a pooler in transaction mode, where each transaction may be on another connection to Postgres. What
 * holds for a session would be lost, or found by somebody else, so that here it holds for a transaction:
 *
 * - Whatever begins one is given its limits, in the same round trip.
 * - Statements have no names: poolers know of prepared ones only lately (pgbouncer from 1.21 on, and only with
 *   `max_prepared_statements`). pg sends one without a name in one go, which every pooler keeps together.
 */
export class PooledClient extends Client {
  constructor(config?: string | ClientConfig) {
    super(config);
    const query: (...args: never[]) => unknown = this.query.bind(this);
    const value = (first: unknown, ...rest: unknown[]): unknown =>
      Reflect.apply(query, this, [forTransaction(first), ...rest]);
    Object.defineProperty(this, 'query', { value });
  }
}

function forTransaction(query: unknown): unknown {
  if (typeof query === 'string') return /^\s*begin\b/i.test(query) ? withLimits(query) : query;
  if (typeof query !== 'object' || query === null || !('name' in query)) return query;
  const { name: _, ...unnamed } = query;
  return unnamed;
}

/** What the statements that come with the `begin` say of a limit, they say last. */
function withLimits(query: string): string {
  const { statementMs, lockMs } = USUAL_LIMITS;
  const [begin = '', ...rest] = query.split(';');
  const limits = [
    `set local statement_timeout = ${statementMs}`,
    `set local lock_timeout = ${lockMs}`,
    `set local idle_in_transaction_session_timeout = '10s'`,
    `set local datestyle = 'ISO'`,
  ];
  return [begin, ...limits, ...rest].join(';');
}
