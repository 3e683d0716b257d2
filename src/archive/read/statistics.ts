import type { Pool } from 'pg';
import { answering } from '../database.ts';
import { StatsTooSlowError, TooManyRowsError, TooManyStatsError } from '../errors.ts';
import { USUAL_LIMITS } from '../session.ts';
import { sqlState } from '../sql-states.ts';
import { inTransaction } from '../transaction.ts';
import { bucketStarts } from './buckets.ts';
import { statsOfCalls } from './stats-of-calls.ts';
import { statsOfRollups } from './stats-of-rollups.ts';
import type { Stats, StatsQuestion, StatsTask } from './stats-question.ts';

export interface ArchiveStats {
  /**
   * Throws `TooManyStatsError`, `StatsTooSlowError`, `TooManyRowsError`, and `ArchiveUnavailableError` where Postgres is
   * away.
   */
  read(question: StatsQuestion): Promise<Stats>;
}

export const MAX_STATS_ROWS = 10_000;
const STATEMENT_TIMEOUT_MS = USUAL_LIMITS.statementMs;
/** Nobody registered a call before or after: so no question goes through more time than this. */
const FIRST_REGISTRATION = Date.UTC(2000);
const LAST_REGISTRATION = Date.UTC(2100);

/** The pool is one for this alone: its size bounds how much of Postgres statistics can take from the followers. */
export function createStats(
  pool: Pool,
  { timeoutMs = STATEMENT_TIMEOUT_MS, maxRows = MAX_STATS_ROWS } = {},
): ArchiveStats {
  let running = 0;

  async function read(question: StatsQuestion): Promise<Stats> {
    const task = taskOf(question);
    if (task.starts.length === 0) return { rows: [], percentiles: 'exact' };
    // What is read of rollups, of their changes and of calls belongs to one moment.
    const begin = `begin isolation level repeatable read read only; set local statement_timeout = ${timeoutMs}`;
    const answer = inTransaction(
      pool,
      begin,
      async (client) => (await statsOfRollups(client, task)) ?? (await statsOfCalls(client, task)),
    );
    const stats = await answering(answer).catch((error: unknown) => {
      if (sqlState(error) !== '57014') throw error;
      throw new StatsTooSlowError(`not done within ${timeoutMs} ms`, { cause: error });
    });
    if (stats.rows.length > maxRows) throw new TooManyRowsError(`more than ${maxRows} rows`);
    return stats;
  }

  function taskOf({ filter, bucket, timeZone, groupBy, withSeconds }: StatsQuestion): StatsTask {
    const from = Math.max(filter.registeredFrom.getTime(), FIRST_REGISTRATION);
    const to = Math.min(filter.registeredTo.getTime(), LAST_REGISTRATION);
    return {
      filter: { ...filter, registeredFrom: new Date(from), registeredTo: new Date(to) },
      starts: from < to ? bucketStarts(bucket, timeZone, from, to) : [],
      groupBy,
      withSeconds,
      maxRows,
      deadline: performance.now() + timeoutMs,
    };
  }

  return {
    async read(question) {
      if (running >= pool.options.max)
        throw new TooManyStatsError(`${running} statistics are being made already`);
      running++;
      return await read(question).finally(() => running--);
    },
  };
}
