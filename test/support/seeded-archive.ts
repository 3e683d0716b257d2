import type { TestDatabase } from './database.ts';
import { makeRollups } from './rollup-count.ts';
import { seedCodes } from './seed.ts';

/** As docs/sql.md names it. */
export const KNOWN_CALL = 'OUT-550e8400-e29b-41d4-a716-446655440000';

/**
 * 400 calls of the last ten days: queued for 4 s, calling for 60 to 99 s, each change seen up to 4 s late, every
 * 20th up to 15 s; success, failure, and one of each ending that PolyAI did not show in a hundred; every tenth is
 * still followed.
 */
const CALLS = `
with seed as (
  select n, date_trunc('second', now()) - interval '37 minutes' * n as at,
         case n % 100 when 11 then 'not_found' when 12 then 'lost' when 13 then 'rejected'
                      when 14 then 'abandoned' else (array['success', 'success', 'failure'])[n % 3 + 1]
         end as outcome
    from generate_series(0, 399) n
), shown as (
  select *, outcome in ('success', 'failure') as is_ended, n % 10 = 0 as is_followed from seed
), registered as (
  insert into polykeep_internal.calls
    (call_sid, account, status, outcome, reason, metadata, registered_at, first_seen_at, last_seen_at, settled_at,
     polls, failed_polls, transition_count)
  select case n when 1 then $1 else 'OUT-' || n end, a.id, s.id, o.id,
         case when outcome = 'failure' and not is_followed then (array['no answer', 'busy', 'voicemail'])[n % 3 + 1] end,
         jsonb_build_object('campaign', 'c' || n % 5, 'customer', 'C-' || 1040 + n % 7),
         at, at + interval '1 s', at + interval '70 s', case when not is_followed then at + interval '70 s' end,
         20, n % 2, case when is_ended and not is_followed then 3 else 2 end
    from shown
    join polykeep_internal.accounts a on a.name = case n % 4 when 0 then 'uk' else 'us' end
    join polykeep_internal.statuses s on s.name = case when is_followed or not is_ended then 'calling' else outcome end
    left join polykeep_internal.outcomes o on o.name = outcome and not is_followed
   order by n desc
  returning id, settled_at
)
insert into polykeep_internal.unsettled (call_id) select id from registered where settled_at is null`;

const TRANSITIONS = `
insert into polykeep_internal.transitions
  (call_id, seq, status, reason, changed_after, observed_at, last_updated, payload)
select id, seq, case seq when 3 then status
                else (select s.id from polykeep_internal.statuses s where s.name = (array['queued', 'calling'])[seq]) end,
       case seq when 3 then reason end,
       case when seq > 1 then observed_at - case when polls_late then interval '15 s' else interval '4 s' end end,
       observed_at, case when account = 'uk' then date_trunc('second', observed_at - interval '2 s') end, '{}'
  from (select c.id, a.name as account, c.status, c.reason, seq, hashtext(call_sid) % 20 = 0 as polls_late,
               registered_at + interval '1 s' + case seq when 1 then interval '0 s' when 2 then interval '5 s'
                 else interval '65 s' + abs(hashtext(call_sid)) % 40 * interval '1 s' end as observed_at
          from polykeep_internal.calls c
          join polykeep_internal.accounts a on a.id = c.account, generate_series(1, 3) seq
         where seq <= c.transition_count) as seed`;

export async function seedArchive(database: TestDatabase): Promise<void> {
  await seedCodes(database);
  await database.query(CALLS, [KNOWN_CALL]);
  await database.query(TRANSITIONS);
  await makeRollups(database.url);
  await database.query('analyze polykeep_internal.calls, polykeep_internal.transitions');
}
