import type { Pool, PoolClient } from 'pg';
import type { Logger } from 'pino';
import { DAY, dayOfQuarter, QUARTER, RETIRED_QUARTER } from '../archive/quarters.ts';
import { addRow, type ContributionRow } from '../archive/rollup-sum.ts';
import { inTransaction } from '../archive/transaction.ts';
import { addSums, createRollupSums, ROLLUPS_LOCK } from '../archive/write/rollups.ts';
import type { Clock } from '../clock.ts';
import { createRounds, type Rounds } from './rounds.ts';

/** So many rows of changes are folded in one transaction. */
const BATCH_SIZE = 5_000;

/** The oldest come first, as they lie in the table. */
const TAKE_CHANGES = `
delete from polykeep_internal.rollup_changes
 where ctid = any(array(select ctid from polykeep_internal.rollup_changes limit $1))
returning bucket, account, outcome, key, value, calls, settle_ms, polls, failed_polls, queued, calling, sign,
          is_retired as "isRetired"`;

interface ChangeRow extends ContributionRow {
  sign: number;
  isRetired: boolean;
}

export interface RollupsOptions {
  pool: Pool;
  everyMs: number;
  clock: Clock;
  log: Logger;
  batchSize?: number;
}

interface Rollups extends Rounds {
  /**
   * Folds all changes that are there into the rollups; an abort ends it after the batch that runs. Returns how many, or
   * null while another process does it. Rejects with what Postgres says.
   */
  fold(signal: AbortSignal): Promise<number | null>;
}

/** Folds what transactions changed of the rollups into them, again and again. */
export function createRollups(options: RollupsOptions): Rollups {
  const { pool, everyMs, clock, log, batchSize = BATCH_SIZE } = options;

  async function fold(signal: AbortSignal): Promise<number | null> {
    let total = 0;
    while (!signal.aborted) {
      const folded = await foldBatch();
      if (folded === null) return null;
      total += folded;
      if (folded < batchSize) break;
    }
    return total;
  }

  /** The lock ends with the transaction, whatever becomes of the connection. */
  function foldBatch(): Promise<number | null> {
    return inTransaction(pool, 'begin', async (client) => {
      const { rows } = await client.query<{ isOurs: boolean }>(
        'select pg_try_advisory_xact_lock($1) as "isOurs"',
        [ROLLUPS_LOCK],
      );
      return rows[0]?.isOurs ? foldChanges(client) : null;
    });
  }

  async function foldChanges(client: PoolClient): Promise<number> {
    const taken = await client.query<ChangeRow>({
      name: 'take_changes',
      text: TAKE_CHANGES,
      values: [batchSize],
    });
    const sums = createRollupSums();
    for (const row of taken.rows) {
      const { bucket, isRetired, sign } = row;
      addRow(sums.of({ ...row, level: isRetired ? RETIRED_QUARTER : QUARTER }), row, sign);
      addRow(sums.of({ ...row, level: DAY, bucket: dayOfQuarter(bucket) }), row, sign);
    }
    await addSums(client, sums);
    return taken.rows.length;
  }

  async function round(signal: AbortSignal): Promise<void> {
    await fold(signal);
  }

  return { ...createRounds({ name: 'rollups', work: round, everyMs, clock, log }), fold };
}
