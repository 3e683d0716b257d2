import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool, PoolClient } from 'pg';
import { whileLocked } from './advisory-lock.ts';

/** One process at a time. Not the number of the embedded server's owner: who owns a server is asked in all its databases. */
const RETENTION_LOCK = 7_066_521_393;

/**
 * Oldest first, by the partial index. What is locked is being read for update or erased by others: the next run finds
 * it, if it is still there.
 */
export const DELETE_EXPIRED = `
delete from calls
 where call_sid = any(array(select call_sid from calls
                             where settled_at is not null and settled_at < now() - $1 * interval '24 hours'
                             order by settled_at
                             limit $2
                               for update skip locked))`;

export interface ExpiredCalls {
  /**
   * Deletes the calls, with their transitions, that settled longer ago than the retention; never an unsettled one.
   * Gives how many, or null while another process is at it. An abort ends it after the batch that runs.
   */
  deleteAll(signal: AbortSignal): Promise<number | null>;
}

export interface ExpiredCallsOptions {
  pool: Pool;
  retentionDays: number;
  batchSize?: number;
  /** Between two batches: followers write meanwhile. */
  pauseMs?: number;
}

export function createExpiredCalls({
  pool,
  retentionDays,
  batchSize = 1_000,
  pauseMs = 100,
}: ExpiredCallsOptions): ExpiredCalls {
  async function deleteBatches(client: PoolClient, signal: AbortSignal): Promise<number> {
    let total = 0;
    while (!signal.aborted) {
      const { rowCount } = await client.query(DELETE_EXPIRED, [retentionDays, batchSize]);
      total += rowCount ?? 0;
      if ((rowCount ?? 0) < batchSize) break;
      await sleep(pauseMs, undefined, { signal }).catch(() => {});
    }
    return total;
  }

  return {
    deleteAll: (signal) => whileLocked(pool, RETENTION_LOCK, (client) => deleteBatches(client, signal)),
  };
}
