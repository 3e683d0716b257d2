import type { Pool, PoolClient } from 'pg';
import { ArchivePool } from './pool.ts';
import { consequencesOf } from './sql-states.ts';

/**
 * Does the work, on a connection that holds the lock, unless another process has it: then null. `lock` is any number,
 * the same for all versions of polykeep. The pool must reach the server itself. Rejects with what Postgres or the work
 * says.
 */
export async function whileLocked<Result>(
  pool: Pool,
  lock: number,
  work: (client: PoolClient) => Promise<Result>,
): Promise<Result | null> {
  if (pool instanceof ArchivePool && pool.isPooled) throw new TypeError('no lock holds through this pooler');
  const client = await pool.connect();
  // Only one that said that it let go of the lock is kept: to close the others lets go of it.
  let fate: Error | boolean = true;
  try {
    const isLocked = await asked(client, 'select pg_try_advisory_lock($1) as answer', lock);
    const result = isLocked ? await work(client) : null;
    fate = isLocked && !(await asked(client, 'select pg_advisory_unlock($1) as answer', lock));
    return result;
  } catch (error) {
    if (error instanceof Error && consequencesOf(error).connection !== 'fit') fate = error;
    throw error;
  } finally {
    client.release(fate);
  }
}

async function asked(client: PoolClient, question: string, lock: number): Promise<boolean> {
  const { rows } = await client.query<{ answer: boolean }>(question, [lock]);
  return rows[0]?.answer ?? false;
}
