import type { Pool } from 'pg';
import { answering } from '../database.ts';

export interface Eraser {
  /**
   * Erases a call with its transitions; false where it was never registered. A follower cannot bring it back: the
   * writer only updates. Rejects with `ArchiveUnavailableError` where Postgres is away.
   */
  erase(callSid: string): Promise<boolean>;
}

export function createEraser(pool: Pool): Eraser {
  return {
    async erase(callSid) {
      const { rowCount } = await answering(pool.query('delete from calls where call_sid = $1', [callSid]));
      return rowCount === 1;
    },
  };
}
