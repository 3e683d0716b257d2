import type { TestDatabase } from './database.ts';
import { makeRollups } from './rollup-count.ts';

/** So many calls of all kinds, `seed-1` the newest, each with up to three transitions. */
export async function seedCalls({ query }: Pick<TestDatabase, 'query'>, calls: number): Promise<void> {
  await seedCodes({ query });
  await query(
    `with registered as (
       insert into polykeep_internal.calls
         (call_sid, account, status, outcome, reason, metadata, registered_at, first_seen_at, last_seen_at, settled_at, polls,
          transition_count)
       select 'seed-' || n,
              (select id from polykeep_internal.accounts where name = (array['default', 'spare'])[1 + n % 2]),
              (select id from polykeep_internal.statuses
                where name = (array[null, 'queued', 'calling', 'success', 'failure'])[1 + n % 5]),
              (array[4, null, null, 1, 2])[1 + n % 5], case when n % 5 = 4 then 'no answer' end,
              jsonb_build_object('campaign', 'c' || n % 7), at, at + '1.5 s', at + '20 s',
              case when n % 5 in (0, 3, 4) then at + interval '20 s' end, n % 11, least(3, n % 5)
         from generate_series(1, $1::int) n, lateral (select timestamptz '2026-11-20Z' - n * interval '1 s' as at) t
        order by n desc
       returning id, settled_at
     )
     insert into polykeep_internal.unsettled (call_id) select id from registered where settled_at is null`,
    [calls],
  );
  await query(
    `insert into polykeep_internal.transitions
       (call_id, seq, status, reason, changed_after, observed_at, last_updated, payload)
     select c.id, seq,
            (select id from polykeep_internal.statuses where name = (array['queued', 'calling', 'success'])[seq]),
            case when seq = c.transition_count then c.reason end,
            case when seq > 1 then at + seq * interval '4.123 s' end, at + seq * interval '5.001 s',
            case when n % 2 = 0 then at + seq * interval '4.9 s' end, '{}'
       from generate_series(1, $1::int) n
       join polykeep_internal.calls c on c.call_sid = 'seed-' || n,
            generate_series(1, 3) seq,
            lateral (select timestamptz '2026-11-20Z' - n * interval '1 s' as at) t
      where seq <= n % 5`,
    [calls],
  );
}

/** Ends all calls that are followed, so that nothing becomes of them while a test looks. */
export async function concludeAll({ query, url }: Pick<TestDatabase, 'query' | 'url'>): Promise<void> {
  await query('delete from polykeep_internal.unsettled');
  await query(
    `update polykeep_internal.calls
        set outcome = (select id from polykeep_internal.outcomes where name = 'abandoned'), settled_at = registered_at
      where settled_at is null`,
  );
  await makeRollups(url);
}

/** Some names, as the writer gives them numbers when it meets them first. */
export async function seedCodes({ query }: Pick<TestDatabase, 'query'>): Promise<void> {
  await query(
    `insert into polykeep_internal.accounts (name) values ('default'), ('spare'), ('us'), ('uk') on conflict do nothing`,
  );
  await query(
    `insert into polykeep_internal.statuses (name) values ('queued'), ('calling'), ('success'), ('failure')
         on conflict do nothing`,
  );
}
