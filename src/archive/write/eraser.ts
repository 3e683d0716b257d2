import type { Pool, PoolClient } from 'pg';
import { answering } from '../database.ts';
import { inTransaction } from '../transaction.ts';
import { takeOutOfRollups } from './rollup-changes.ts';

export interface Eraser {
  /**
   * Erases a call with its transitions, and takes it out of the statistics; false where it was never registered. A
   * follower cannot bring it back: the writer only updates. Rejects with `ArchiveUnavailableError` where Postgres is
   * away.
   */
  erase(callSid: string): Promise<boolean>;
}

const LOCK_CALL = 'select id from polykeep_internal.calls where call_sid = $1 for update';

export function createEraser(pool: Pool): Eraser {
  return {
    async erase(callSid) {
      const erased = inTransaction(pool, 'begin', async (client) => {
        const { rows } = await client.query<{ id: string }>(LOCK_CALL, [callSid]);
        const ids = rows.map(({ id }) => id);
        await takeOutOfRollups(client, ids);
        await deleteCalls(client, ids);
        return ids.length > 0;
      });
      return answering(erased);
    },
  };
}

const DELETE_CALLS = `
with gone as (
  delete from polykeep_internal.calls where id = any($1::int8[])
), unfollowed as (
  delete from polykeep_internal.unsettled where call_id = any($1::int8[])
), untold as (
  delete from polykeep_internal.deliveries where call_id = any($1::int8[])
)
delete from polykeep_internal.transitions where call_id = any($1::int8[])`;

/**
 * Deletes calls with all that belongs to them, in a transaction that has locked their rows by a statement before: this
 * one then sees every transition that was committed until it had the lock.
 */
export async function deleteCalls(client: PoolClient, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await client.query({ name: 'delete_calls', text: DELETE_CALLS, values: [ids] });
}
