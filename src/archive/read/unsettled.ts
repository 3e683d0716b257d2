import type { Pool } from 'pg';
import { inTransaction } from '../transaction.ts';

/**
 * A call of which PolyAI has shown nothing for so long is at risk: it may have ended just after the last answer, and
 * PolyAI forgets it two hours after its end. What is left of them is for whoever is called to put things right.
 */
export const SILENT_AFTER_MS = 30 * 60_000;

/** `$1` are the statuses to tell apart: others are free text. */
const UNSETTLED = `
select a.name as account,
       case when s.name is null then 'none' when s.name = any($1::text[]) then s.name else 'other' end as status,
       sum(count)::int as count, sum(silent)::int as silent,
       greatest(extract(epoch from max(silence)), 0)::float8 as "longestSilenceS"
  from (select c.account, c.status, count(*) as count,
               count(*) filter (where silence > $2::float8 * interval '1 ms') as silent, max(silence) as silence
          from polykeep_internal.unsettled u
          join polykeep_internal.calls c on c.id = u.call_id
         cross join lateral (select now() - coalesce(c.last_seen_at, c.registered_at) as silence) as since
         group by c.account, c.status) c
  left join polykeep_internal.accounts a on a.id = c.account
  left join polykeep_internal.statuses s on s.id = c.status
 group by 1, 2`;

/** The followers' writes go on meanwhile, so the count takes no more of Postgres than one core for 5 s. */
const BEGIN = `begin; set local statement_timeout = '5s'; set local max_parallel_workers_per_gather = 0`;

/** Unsettled calls of one account at one status. */
export interface UnsettledGroup {
  account: string;
  /** `none` before PolyAI showed any; `other` where it is none of those that were asked for. */
  status: string;
  count: number;
  /** How many of them PolyAI has shown nothing of for `SILENT_AFTER_MS`. */
  silent: number;
  /** Since it last did, or since the registration: the longest of any. */
  longestSilenceS: number;
}

export interface UnsettledCalls {
  read(): Promise<UnsettledGroup[]>;
}

/** Counts the calls that are not settled. */
export function createUnsettledCalls(pool: Pool, statuses: Iterable<string>): UnsettledCalls {
  const known = [...statuses];
  return {
    read() {
      return inTransaction(pool, BEGIN, async (client) => {
        const values = [known, SILENT_AFTER_MS];
        const { rows } = await client.query<UnsettledGroup>({
          name: 'unsettled_calls',
          text: UNSETTLED,
          values,
        });
        return rows;
      });
    },
  };
}
