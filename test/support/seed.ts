import type { TestDatabase } from './database.ts';

/** So many calls of all kinds, `seed-1` the newest, each with up to three transitions. */
export async function seedCalls({ query }: Pick<TestDatabase, 'query'>, calls: number): Promise<void> {
  await query(
    `insert into calls (call_sid, account, status, outcome, metadata, registered_at, first_seen_at, last_seen_at,
                        settled_at, polls)
     select 'seed-' || n, (array['default', 'spare'])[1 + n % 2],
            (array[null, 'queued', 'calling', 'success', 'failure'])[1 + n % 5],
            (array['lost', null, null, 'success', 'failure'])[1 + n % 5],
            jsonb_build_object('campaign', 'c' || n % 7), at, at + '1.5 s', at + '20 s',
            case when n % 5 in (0, 3, 4) then at + interval '20 s' end, n % 11
       from generate_series(1, $1::int) n, lateral (select timestamptz '2026-11-20Z' - n * interval '1 s' as at) t`,
    [calls],
  );
  await query(
    `insert into transitions (call_sid, seq, status, changed_after, observed_at, last_updated, payload)
     select 'seed-' || n, seq, (array['queued', 'calling', 'success'])[seq],
            case when seq > 1 then at + seq * interval '4.123 s' end, at + seq * interval '5.001 s',
            case when n % 2 = 0 then at + seq * interval '4.9 s' end, '{}'
       from generate_series(1, $1::int) n, generate_series(1, 3) seq,
            lateral (select timestamptz '2026-11-20Z' - n * interval '1 s' as at) t
      where seq <= n % 5`,
    [calls],
  );
}
