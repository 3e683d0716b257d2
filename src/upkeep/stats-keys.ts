import type { Pool, PoolClient } from 'pg';
import type { Logger } from 'pino';
import { contributionsOf } from '../archive/contributions.ts';
import { inTransaction } from '../archive/transaction.ts';
import type { Clock } from '../clock.ts';
import { createRounds, type Rounds } from './rounds.ts';

/** So many calls are counted by a new key in one transaction. */
const BATCH_SIZE = 1_000;
/** Between two batches, so that the followers' writes get in. */
const PAUSE_MS = 20;
/** Whoever writes calls waits behind the lock that is waited for. Longer than Postgres takes to stop an autovacuum for it. */
const CUT_PATIENCE = '2s';
/** Shorter than Postgres takes to look for a deadlock: of two that wait for each other, this one gives way. */
const ROWS_PATIENCE = '500ms';

const MISSING = `
select name from unnest($1::text[]) as wanted (name)
 where not exists (select from polykeep_internal.stats_keys k where k.name = wanted.name)`;

/**
 * The lock lets those end who have written calls without knowing of the key; whoever writes after it knows. So every call
 * beyond the highest id is counted by the key from its registration on, and no other is.
 */
const LOCK_CALLS = 'lock table polykeep_internal.calls in share row exclusive mode';
const ADD_KEY = `
insert into polykeep_internal.stats_keys (name, high_mark, filled_up_to)
select $1, coalesce(max(id), 0), 0 from polykeep_internal.calls
    on conflict (name) do nothing`;

const UNFILLED = `
select id, name, high_mark as "highMark", filled_up_to as "filledUpTo"
  from polykeep_internal.stats_keys
 where filled_up_to < high_mark
 order by id
 limit 1
   for update skip locked`;

/** Nobody changes them before the batch is committed, and whoever does then adds and takes out what they count for. */
const LOCK_BATCH = `
select id from polykeep_internal.calls
 where id > $1::int8 and id <= $2::int8
 order by id
 limit $3
   for no key update`;

const COLUMNS =
  'bucket, account, outcome, key, value, calls, settle_ms, polls, failed_polls, queued, calling';
const COUNT_BATCH = `
insert into polykeep_internal.rollup_changes (${COLUMNS}, sign, is_retired)
select counted.*, 1, false
  from (${contributionsOf({ keys: 'select $2::int, (c.metadata ->> $3::text) collate "C"', condition: 'c.id = any($1::int8[])' })}) counted`;

const ADVANCE = 'update polykeep_internal.stats_keys set filled_up_to = $2 where id = $1';

export interface StatsKeysOptions {
  pool: Pool;
  /** The metadata keys that statistics are to be kept by. */
  keys: readonly string[];
  everyMs: number;
  clock: Clock;
  log: Logger;
  batchSize?: number;
  pauseMs?: number;
}

interface StatsKeys extends Rounds {
  /** From now on every call that is registered counts by the keys too. Rejects with what Postgres says. */
  addMissing(): Promise<void>;
  /**
   * Counts the calls that were there before by the keys that were added, those of other processes too; an abort ends it
   * after the batch that runs. Each key is filled by one process at a time. Rejects with what Postgres says.
   */
  fill(signal: AbortSignal): Promise<void>;
}

interface Unfilled {
  id: number;
  name: string;
  /** `bigint`, as text. */
  highMark: string;
  filledUpTo: string;
}

/**
 * Has statistics kept by metadata keys, beside those who write. A key that is not wanted any more is kept on, since
 * another process may want it.
 */
export function createStatsKeys(options: StatsKeysOptions): StatsKeys {
  const { pool, keys, everyMs, clock, log, batchSize = BATCH_SIZE, pauseMs = PAUSE_MS } = options;

  async function addMissing(): Promise<void> {
    const { rows } = await pool.query<{ name: string }>(MISSING, [keys]);
    for (const { name } of rows) {
      await inTransaction(pool, `begin; set local lock_timeout = '${CUT_PATIENCE}'`, async (client) => {
        await client.query(LOCK_CALLS);
        await client.query(ADD_KEY, [name]);
      });
      log.info({ key: name }, 'statistics are kept by a new key');
    }
  }

  async function fill(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (await fillBatch())) await clock.sleep(pauseMs, signal);
  }

  /** Whether there was one. */
  function fillBatch(): Promise<boolean> {
    return inTransaction(pool, `begin; set local lock_timeout = '${ROWS_PATIENCE}'`, async (client) => {
      const { rows } = await client.query<Unfilled>(UNFILLED);
      const [key] = rows;
      if (key !== undefined) await countBatch(client, key);
      return key !== undefined;
    });
  }

  async function countBatch(client: PoolClient, { id, name, highMark, filledUpTo }: Unfilled): Promise<void> {
    const { rows } = await client.query<{ id: string }>(LOCK_BATCH, [filledUpTo, highMark, batchSize]);
    const ids = rows.map((row) => row.id);
    if (ids.length > 0) await client.query(COUNT_BATCH, [ids, id, name]);
    const isLast = ids.length < batchSize;
    await client.query(ADVANCE, [id, isLast ? highMark : ids.at(-1)]);
    if (isLast) log.info({ key: name }, 'statistics have all calls by a new key');
  }

  async function round(signal: AbortSignal): Promise<void> {
    await addMissing();
    await fill(signal);
  }

  return { ...createRounds({ name: 'STATS_BY', work: round, everyMs, clock, log }), addMissing, fill };
}
