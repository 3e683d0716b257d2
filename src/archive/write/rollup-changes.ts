import type { PoolClient } from 'pg';
import { ALL_CALLS, contributionsOf, KEYS_OF_CALL } from '../contributions.ts';

/**
 * Statistics are kept by the transaction that changes a call: it takes the call out as it was, and adds it as it then
 * is. Each appends rows that are folded into the rollups later (`upkeep/rollups.ts`), so that no two transactions wait
 * for one row. What a call counts for is said by a view, `polykeep_internal.contributions`, for every version alike.
 *
 * Each of these is a statement of its own, after another has locked the calls' rows: it then sees whatever was committed
 * until it had the locks, and the keys that were added to `STATS_BY` until then.
 */

const COLUMNS =
  'bucket, account, outcome, key, value, calls, settle_ms, polls, failed_polls, queued, calling, sign, is_retired';

const CONTRIBUTIONS = contributionsOf({
  keys: `${ALL_CALLS} union all ${KEYS_OF_CALL}`,
  condition: 'c.id = any($1::int8[])',
});

const CHANGE = `
insert into polykeep_internal.rollup_changes (${COLUMNS})
select c.*, $2::int2, $3::bool from (${CONTRIBUTIONS}) c`;

/** A call that was followed counted for no more than that it was there. */
const SETTLE = `
with c as (${CONTRIBUTIONS})
insert into polykeep_internal.rollup_changes (${COLUMNS})
select c.*, 1, false from c
 union all
select c.bucket, c.account, 0, c.key, c.value, sum(c.calls), 0, 0, 0, null, null, -1, false
  from c
 group by c.bucket, c.account, c.key, c.value`;

async function change(
  client: PoolClient,
  ids: readonly string[],
  sign: 1 | -1,
  isRetired: boolean,
): Promise<void> {
  if (ids.length > 0)
    await client.query({ name: 'change_rollups', text: CHANGE, values: [ids, sign, isRetired] });
}

/** From now on the calls count as they are. */
export function addToRollups(client: PoolClient, ids: readonly string[]): Promise<void> {
  return change(client, ids, 1, false);
}

/** The calls, which were followed until now, have settled: one statement, since most changes are this one. */
export async function settleInRollups(client: PoolClient, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await client.query({ name: 'settle_in_rollups', text: SETTLE, values: [ids] });
}

/** The calls do not count any more. */
export function takeOutOfRollups(client: PoolClient, ids: readonly string[]): Promise<void> {
  return change(client, ids, -1, false);
}

/** The calls count on, apart from those that are there: their rows are about to be deleted. */
export async function retireInRollups(client: PoolClient, ids: readonly string[]): Promise<void> {
  await takeOutOfRollups(client, ids);
  await change(client, ids, 1, true);
}

/**
 * Does what changes the calls (their status, their polls, their metadata), so that they count as they then are. The
 * transaction has locked their rows.
 */
export async function countedAnew<Result>(
  client: PoolClient,
  ids: readonly string[],
  work: () => Promise<Result>,
): Promise<Result> {
  await takeOutOfRollups(client, ids);
  const result = await work();
  await addToRollups(client, ids);
  return result;
}
