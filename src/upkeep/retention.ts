import type { Pool, PoolClient } from 'pg';
import type { Logger } from 'pino';
import { whileLocked } from '../archive/advisory-lock.ts';
import type { Clock } from '../clock.ts';
import { createRounds, type Rounds } from './rounds.ts';

/**
 * Advisory lock of the one process that deletes. Its number must not be that of the embedded server's owner lock, which
 * is looked for in all databases of the server.
 */
const RETENTION_LOCK = 7_066_521_393;
const BATCH_SIZE = 1_000;
/** Between two batches, so that the followers' writes get in. */
const PAUSE_MS = 100;

/**
 * Deletes those that settled longest ago, which the partial index finds. It passes over a row that another transaction
 * has locked, to write it or to erase it: the next round finds it, if it is still there.
 */
const DELETE_EXPIRED = `
delete from calls
 where call_sid = any(array(select call_sid from calls
                             where settled_at is not null and settled_at < now() - $1 * interval '24 hours'
                             order by settled_at
                             limit $2
                               for update skip locked))`;

export interface RetentionOptions {
  pool: Pool;
  /** For how many days a call is kept after it settled. */
  retentionDays: number;
  everyMs: number;
  clock: Clock;
  log: Logger;
  batchSize?: number;
  pauseMs?: number;
}

interface Retention extends Rounds {
  /**
   * Deletes the calls, with their transitions, that settled longer ago than they are kept; never an unsettled one.
   * Returns how many, or null while another process does it. An abort ends it after the batch that runs. Rejects with
   * what Postgres says.
   */
  deleteExpired(signal: AbortSignal): Promise<number | null>;
}

/** Deletes calls that settled longer ago than they are kept, again and again. */
export function createRetention(options: RetentionOptions): Retention {
  const { pool, retentionDays, everyMs, clock, log } = options;
  const { batchSize = BATCH_SIZE, pauseMs = PAUSE_MS } = options;

  async function round(signal: AbortSignal): Promise<void> {
    const calls = await deleteExpired(signal);
    if (calls !== null && calls > 0) log.info({ calls }, 'deleted calls that settled long ago');
  }

  function deleteExpired(signal: AbortSignal): Promise<number | null> {
    return whileLocked(pool, RETENTION_LOCK, (client) => deleteBatches(client, signal));
  }

  async function deleteBatches(client: PoolClient, signal: AbortSignal): Promise<number> {
    let total = 0;
    while (!signal.aborted) {
      const { rowCount } = await client.query(DELETE_EXPIRED, [retentionDays, batchSize]);
      total += rowCount ?? 0;
      if ((rowCount ?? 0) < batchSize) break;
      await clock.sleep(pauseMs, signal);
    }
    return total;
  }

  return { ...createRounds({ name: 'retention', work: round, everyMs, clock, log }), deleteExpired };
}
