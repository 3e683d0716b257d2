/**
 * SQL that sums up, by group, what calls count for in statistics: `$1` and on are for the caller. The columns are
 * `bucket`, `account`, `outcome`, `key`, `value`, `calls`, `settle_ms`, `polls`, `failed_polls`, `queued`, `calling`.
 * `keys` is a query of the columns `key` and `value` of one call `c`, `condition` says which calls.
 */
export function contributionsOf({ keys, condition }: { keys: string; condition: string }): string {
  return `
select c.bucket, c.account, c.outcome, k.key, k.value, count(*)::int as calls, sum(c.settle_ms)::int8 as settle_ms,
       sum(c.polls)::int8 as polls, sum(c.failed_polls)::int8 as failed_polls,
       string_agg(c.queued, ',') as queued, string_agg(c.calling, ',') as calling
  from polykeep_internal.contributions c cross join lateral (${keys}) as k (key, value)
 where ${condition}
 group by c.bucket, c.account, c.outcome, k.key, k.value`;
}

/** The group of all calls, which has no key. */
export const ALL_CALLS = `select 0, null::text collate "C"`;

/** The groups of the keys that count the call already: those that are filled in later come to it, or have been there. */
export const KEYS_OF_CALL = `
select s.id, (c.metadata ->> s.name) collate "C"
  from polykeep_internal.stats_keys s
 where c.id > s.high_mark or c.id <= s.filled_up_to`;
