import type { Pool, PoolClient } from 'pg';
import type { Logger } from 'pino';
import { whileLocked } from '../archive/advisory-lock.ts';
import { inTransaction } from '../archive/transaction.ts';
import { deleteCalls } from '../archive/write/eraser.ts';
import { retireInRollups } from '../archive/write/rollup-changes.ts';
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
 * Locks the next calls that settled so long ago, in the order of their ids, which is that of their registration: a call
 * settles after it is registered, so none that was registered later is among them. It passes over a row that another
 * transaction has locked, to write it or to erase it: the next round finds it, if it is still there.
 */
const LOCK_EXPIRED = `
select id
  from polykeep_internal.calls
 where id > $1::int8 and id <= $2::int8 and settled_at < now() - $3 * interval '24 hours'
 order by id
 limit $4
   for update skip locked`;

/** Where the walk through the ids ends. */
const NEWEST_EXPIRED = `
select max(id) as id
  from (select id from polykeep_internal.calls
         where registered_at < now() - $1 * interval '24 hours'
         order by registered_at desc
         limit 1000) as newest`;

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
   * Deletes the calls, with their transitions, that settled longer ago than they are kept; never an unsettled one. They
   * count on in the statistics.
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
    const end = await newestExpired(client);
    let last: string | null = end === null ? null : '0';
    while (last !== null && !signal.aborted) {
      const deleted: string[] = await deleteBatch(last, end);
      total += deleted.length;
      last = deleted.length < batchSize ? null : (deleted.at(-1) ?? null);
      if (last !== null) await clock.sleep(pauseMs, signal);
    }
    return total;
  }

  async function newestExpired(client: PoolClient): Promise<string | null> {
    const { rows } = await client.query<{ id: string | null }>(NEWEST_EXPIRED, [retentionDays]);
    return rows[0]?.id ?? null;
  }

  /** The ids of the calls that it deleted. */
  function deleteBatch(after: string, end: string | null): Promise<string[]> {
    return inTransaction(pool, 'begin', async (client) => {
      const values = [after, end, retentionDays, batchSize];
      const { rows } = await client.query<{ id: string }>(LOCK_EXPIRED, values);
      const ids = rows.map(({ id }) => id);
      await retireInRollups(client, ids);
      await deleteCalls(client, ids);
      return ids;
    });
  }

  return { ...createRounds({ name: 'retention', work: round, everyMs, clock, log }), deleteExpired };
}
