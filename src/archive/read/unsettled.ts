import type { Pool } from 'pg';
import { inTransaction } from '../transaction.ts';

/**
 * A call of which PolyAI has shown nothing for so long is at risk: it may have ended just after the last answer, and
 * PolyAI forgets it two hours after its end. What is left of them is for whoever is called to put things right.
 */
export const SILENT_AFTER_MS = 30 * 60_000;

/** `$1` are the statuses to tell apart: others are free text. */
const UNSETTLED = `
select account, case when status is null then 'none' when status = any($1::text[]) then status else 'other' end as status,
       count(*)::int as count,
       count(*) filter (where silence > $2::float8 * interval '1 ms')::int as silent,
       greatest(extract(epoch from max(silence)), 0)::float8 as "longestSilenceS"
  from calls, lateral (select now() - coalesce(last_seen_at, registered_at) as silence) as since
 where settled_at is null
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

/** Counts the calls that are not settled, by the index of them. */
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
