import type { Pool, PoolClient } from 'pg';
import { consequencesOf } from './sql-states.ts';

/**
 * Does the work in a transaction that `begin` opens, and commits it. Rejects with what went wrong; then nothing is
 * written, or all, where the connection broke at the commit. The pool is told, and closes a connection that is unfit.
 */
export async function inTransaction<Result>(
  pool: Pool,
  begin: string,
  work: (client: PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  let failure: Error | undefined;
  try {
    await client.query(begin);
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    failure = asError(error);
    // On one that is unfit the statement may still run, and a rollback would wait behind it.
    if (consequencesOf(failure).connection === 'fit') failure = await rolledBack(client, failure);
    throw error;
  } finally {
    client.release(failure);
  }
}

/** The failure, or that of the rollback, which makes the connection unfit. */
async function rolledBack(client: PoolClient, failure: Error): Promise<Error> {
  return client.query('rollback').then(() => failure, asError);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
