import type { Outcome } from '../../src/call/call.ts';
import { OUTCOME_CODES } from '../../src/call/call.ts';
import type { TestDatabase } from './database.ts';

/** A call as it is to lie in the archive; what is not given is as of one that was registered a moment ago. */
export interface StoredCall {
  callSid: string;
  account?: string;
  status?: string;
  outcome?: Outcome;
  /** Seconds from now: of the past they are negative. */
  registeredIn?: number;
  lastSeenIn?: number;
  settledIn?: number;
  /** Of one that has no outcome. */
  followedFor?: number;
  /** Its transitions, in order. */
  statuses?: readonly string[];
}

const NAMES = (table: string, texts: string) => `
insert into polykeep_internal.${table} (name)
select distinct name from (${texts}) as given(name) where name is not null on conflict do nothing`;

const IN = (seconds: string) => `now() + ${seconds} * interval '1 s'`;

/** `$1` are the calls as JSON. */
const CALLS = `
with given as (
  select *, row_number() over () as place
    from jsonb_to_recordset($1::jsonb)
         as given("callSid" text, account text, status text, outcome int2, "registeredIn" float8, "lastSeenIn" float8,
                  "settledIn" float8, "followedFor" float8, statuses text[])
), stored as (
  insert into polykeep_internal.calls (call_sid, account, status, outcome, registered_at, first_seen_at, last_seen_at,
                                       settled_at, transition_count)
  select "callSid", a.id, s.id, outcome, ${IN('coalesce("registeredIn", 0)')}, ${IN('"lastSeenIn"')},
         ${IN('"lastSeenIn"')}, ${IN('coalesce("settledIn", case when outcome is not null then 0 end)')},
         coalesce(cardinality(statuses), 0)
    from given
    join polykeep_internal.accounts a on a.name = coalesce(account, 'default')
    left join polykeep_internal.statuses s on s.name = coalesce(status, statuses[cardinality(statuses)])
   order by place
  returning id, call_sid, outcome
), followed as (
  insert into polykeep_internal.unsettled (call_id, followed_until)
  select id, ${IN('coalesce("followedFor", 0)')} from stored join given on "callSid" = call_sid
   where stored.outcome is null
)
insert into polykeep_internal.transitions (call_id, seq, status, observed_at, body_form)
select stored.id, seq, s.id, now(), 1
  from stored
  join given on "callSid" = call_sid
 cross join lateral unnest(statuses) with ordinality as t(name, seq)
  join polykeep_internal.statuses s on s.name = t.name`;

/** Puts calls into the archive as registrations and reports would have left them, with what belongs to them. */
export async function storeCalls(
  { query }: Pick<TestDatabase, 'query'>,
  calls: readonly StoredCall[],
): Promise<void> {
  const accounts = calls.map(({ account = 'default' }) => account);
  const statuses = calls.flatMap(({ status, statuses = [] }) => [...statuses, ...(status ? [status] : [])]);
  await query(NAMES('accounts', 'select unnest($1::text[])'), [accounts]);
  await query(NAMES('statuses', 'select unnest($1::text[])'), [statuses]);
  const rows = calls.map(({ outcome, ...call }) => ({ ...call, outcome: outcome && OUTCOME_CODES[outcome] }));
  await query(CALLS, [JSON.stringify(rows)]);
}

/** Empties the archive of calls, and of what belongs to them. */
export async function forgetCalls({ query }: Pick<TestDatabase, 'query'>): Promise<void> {
  await query(
    'truncate polykeep_internal.calls, polykeep_internal.unsettled, polykeep_internal.transitions, polykeep_internal.deliveries',
  );
}
