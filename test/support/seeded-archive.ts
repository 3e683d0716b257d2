import type { TestDatabase } from './database.ts';

/** As docs/sql.md names it. */
export const KNOWN_CALL = 'OUT-550e8400-e29b-41d4-a716-446655440000';

/**
 * 400 calls of the last ten days: queued for 4 s, calling for 60 to 99 s, each change seen up to 4 s late, every
 * 20th up to 15 s; success, failure, and one of each ending that PolyAI did not show in a hundred; every tenth is
 * still followed.
 */
const CALLS = `
insert into calls (call_sid, account, status, outcome, reason, metadata, registered_at, first_seen_at, last_seen_at,
                   settled_at, polls, failed_polls)
select case n when 1 then $1 else 'OUT-' || n end,
       case n % 4 when 0 then 'uk' else 'us' end,
       case when n % 10 = 0 or outcome not in ('success', 'failure') then 'calling' else outcome end,
       case when n % 10 > 0 then outcome end,
       case when outcome = 'failure' and n % 10 > 0 then (array['no answer', 'busy', 'voicemail'])[n % 3 + 1] end,
       jsonb_build_object('campaign', 'c' || n % 5, 'customer', 'C-' || 1040 + n % 7),
       at, at + interval '1 s', at + interval '70 s', case when n % 10 > 0 then at + interval '70 s' end, 20, n % 2
  from (select n, date_trunc('second', now()) - interval '37 minutes' * n as at,
               case n % 100 when 11 then 'not_found' when 12 then 'lost' when 13 then 'rejected'
                            when 14 then 'abandoned' else (array['success', 'success', 'failure'])[n % 3 + 1]
               end as outcome
          from generate_series(0, 399) n) as seed`;

const TRANSITIONS = `
insert into transitions (call_sid, seq, status, reason, changed_after, observed_at, last_updated, payload)
select call_sid, seq, case seq when 3 then outcome else (array['queued', 'calling'])[seq] end,
       case seq when 3 then reason end,
       case when seq > 1 then observed_at - case when polls_late then interval '15 s' else interval '4 s' end end,
       observed_at, case when account = 'uk' then date_trunc('second', observed_at - interval '2 s') end, '{}'
  from (select call_sid, account, outcome, reason, seq, hashtext(call_sid) % 20 = 0 as polls_late,
               registered_at + interval '1 s' + case seq when 1 then interval '0 s' when 2 then interval '5 s'
                 else interval '65 s' + abs(hashtext(call_sid)) % 40 * interval '1 s' end as observed_at
          from calls, generate_series(1, 3) seq
         where seq < 3 or outcome in ('success', 'failure')) as seed`;

export async function seedArchive(database: TestDatabase): Promise<void> {
  await database.query(CALLS, [KNOWN_CALL]);
  await database.query(TRANSITIONS);
  await database.query('analyze calls, transitions');
}
