import type { Pool, PoolClient } from 'pg';

/**
 * Does the work, on a connection that holds the lock, unless another process has it: then null. `lock` is any number,
 * the same for all versions of polykeep.
 */
export async function whileLocked<Result>(
  pool: Pool,
  lock: number,
  work: (client: PoolClient) => Promise<Result>,
): Promise<Result | null> {
  const client = await pool.connect();
  let locked = false;
  try {
    const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [
      lock,
    ]);
    locked = rows[0]?.locked ?? false;
    return locked ? await work(client) : null;
  } finally {
    // A connection that cannot say that it let go of the lock is closed, which lets go of it.
    const unlocked = !locked || (await unlock(client, lock));
    client.release(!unlocked);
  }
}

async function unlock(client: PoolClient, lock: number): Promise<boolean> {
  return client.query('select pg_advisory_unlock($1)', [lock]).then(
    () => true,
    () => false,
  );
}
