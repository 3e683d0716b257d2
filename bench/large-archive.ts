import { Client } from 'pg';
import { openDatabase } from '../src/archive/database.ts';
import { recount } from '../src/archive/write/recount.ts';
import { systemClock } from '../src/clock.ts';
import { createStatsKeys } from '../src/upkeep/stats-keys.ts';
import { silentLog } from '../test/support/log.ts';

/** A transaction each, so that the feed has many to go through, as from followers that write what they saw together. */
const CALLS_PER_TRANSACTION = 100;
/** Sessions that write at a time. */
const SESSIONS = 2;
/** Of the metadata; it has 20 values. Statistics are kept by it, as by `STATS_BY`. */
const STATS_KEY = 'campaign';

/**
 * Calls $1 to $2 of $3, oldest first. Of a hundred 94 are queued, calling and ended; three end no more (lost,
 * abandoned, or followed still where they are of the last hour), and three have one status more: 300 transitions.
 *
 * Ten campaigns run all the time, the first ones more than the last; ten more took nine days each, one after the other.
 * The account emea shows PolyAI's older body, with times and without reasons: forms 3 and 1 of `call/body-form.ts`.
 * `large-archive.test.ts` holds the rows against those that the writer makes.
 */
const SEED = `
with drawn as materialized (
  select n, 'OUT-' || md5('polykeep ' || n)::uuid as call_sid,
         date_trunc('milliseconds', now() - interval '5 min' - interval '90 days' * (1 - n / $3::float8)) as at,
         (array['default', 'default', 'default', 'default', 'default', 'emea', 'emea', 'emea', 'us', 'us'])
           [1 + floor(random() * 10)] as account,
         case when random() < 0.3 then 'season-' || 10 + least(9, floor(10 * n / $3::float8))
              else 'always-' || floor(10 * random() ^ 2) end as campaign,
         1 - 8 * ln(1 - random()) as queued, 20 - 60 * ln(1 - random()) as calling,
         random() < 0.65 as succeeds, random() * 4 as late, 2 + random() * 3 as between,
         (array['no answer', 'no answer', 'busy', 'voicemail', 'The caller hung up before the agent spoke'])
           [1 + floor(random() * 5)] as reason
    from generate_series($1::int8, $2::int8) n
), lived as materialized (
  select *, at + greatest(1, late) * interval '1 s' as first_seen, account = 'emea' as dated,
         (array[at, at + queued * interval '1 s', at + (queued + 2) * interval '1 s',
                at + (queued + calling) * interval '1 s']) as changes,
         case when n % 100 not in (1, 2, 3) then case when succeeds then 'success' else 'failure' end
              when at < now() - interval '1 hour' then case n % 100 when 1 then 'abandoned' else 'lost' end
         end as outcome
    from drawn
), changes as materialized (
  select n, call_sid, dated, at, change, status,
         row_number() over (partition by n order by change)::int as seq,
         case when status = 'failure' and not dated then reason end as reason,
         case when change > 1 then seen - between * interval '1 s' end as changed_after, seen,
         case when dated then date_trunc('second', changes[change]) end as last_updated,
         case when dated then 3 else 1 end as form
    from lived, generate_series(1, 4) change,
         lateral (select (array['queued', 'calling', 'in-progress', outcome])[change] as status,
                         greatest(first_seen, changes[change] + late * interval '1 s') as seen) t
   where case change when 3 then n % 100 in (11, 12, 13) when 4 then n % 100 not in (1, 2, 3) else true end
), registered as (
  insert into polykeep_internal.calls
    (call_sid, account, status, outcome, reason, metadata, registered_at, created_at, last_updated, first_seen_at,
     last_seen_at, settled_at, polls, failed_polls, transition_count, body_form)
  select l.call_sid, a.id, s.id, o.id, c.reason,
         jsonb_build_object('campaign', campaign, 'customer', 'C-' || l.n % 200000), l.at,
         case when l.dated then date_trunc('second', l.at) end, c.last_updated, first_seen, c.seen,
         case when l.outcome is not null then c.seen end, (queued + calling) / between, (late < 0.2)::int, c.seq, c.form
    from lived l
   cross join lateral (select * from changes where changes.n = l.n order by seq desc limit 1) c
    join polykeep_internal.accounts a on a.name = l.account
    join polykeep_internal.statuses s on s.name = c.status
    left join polykeep_internal.outcomes o on o.name = l.outcome
   order by l.n
  returning id, call_sid, settled_at, last_seen_at
), followed as (
  insert into polykeep_internal.unsettled (call_id, followed_until)
  select id, last_seen_at from registered where settled_at is null
)
insert into polykeep_internal.transitions
  (call_id, seq, status, reason, changed_after, observed_at, last_updated, body_form)
select r.id, c.seq, s.id, c.reason, c.changed_after, c.seen, c.last_updated, c.form
  from changes c
  join registered r using (call_sid)
  join polykeep_internal.statuses s on s.name = c.status
 order by c.seen`;

/** What the writer makes when it meets them first. */
const CODES = `
with named as (
  insert into polykeep_internal.accounts (name) values ('default'), ('emea'), ('us')
)
insert into polykeep_internal.statuses (name) values ('queued'), ('calling'), ('in-progress'), ('success'), ('failure')`;

const SIZES = `
select relname as name, pg_table_size(oid)::float8 as bytes
  from pg_class
 where relnamespace = 'polykeep_internal'::regnamespace and relkind in ('r', 'i')
 order by bytes desc`;

/** Tables (without their indexes) and indexes, the largest first. */
export interface Sizes {
  calls: number;
  relations: { name: string; bytes: number }[];
}

/** Keys and indexes, in the order in which they can be dropped; made at the end, and not kept while rows come. */
const MADE_AFTERWARDS = `
with filled (name) as (
  values ('polykeep_internal.calls'::regclass), ('polykeep_internal.transitions'::regclass)
)
select format('alter table %s drop constraint %I', conrelid::regclass, conname) as gone,
       format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) as back
  from pg_constraint
 where conrelid in (select name from filled) and contype in ('p', 'u')
union all
select format('drop index %s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid)
  from pg_index i
 where i.indrelid in (select name from filled) and not i.indisunique`;

/** Fills an empty, migrated database with a call for each number up to `calls`, and returns what it takes on disk. */
export async function fillArchive(url: string, calls: number, say: (line: string) => void): Promise<Sizes> {
  const started = performance.now();
  const saySo = (line: string) => say(`${line} after ${Math.round((performance.now() - started) / 1000)} s`);
  await using client = await connect(url);
  const { rows: later } = await client.query<{ gone: string; back: string }>(MADE_AFTERWARDS);
  for (const { gone } of later) await client.query(gone);
  await client.query(CODES);
  await keepByCampaign(url);
  let next = 1;
  async function session(number: number): Promise<void> {
    await using client = await connect(url);
    await client.query('select setseed($1)', [number / SESSIONS]);
    for (let from = next; from <= calls; from = next) {
      next += CALLS_PER_TRANSACTION;
      const to = Math.min(calls, from + CALLS_PER_TRANSACTION - 1);
      await client.query({ name: 'seed', text: SEED, values: [from, to, calls] });
      if (to % 100_000 === 0) saySo(`${to} calls`);
    }
  }
  await Promise.all(Array.from({ length: SESSIONS }, (_, number) => session(number)));
  await client.query(`set maintenance_work_mem = '1GB'`);
  for (const { back } of later.reverse()) await client.query(back);
  saySo('keys and indexes');
  // As autovacuum leaves it after a while: statistics, and no pending entries in the metadata's index.
  await client.query(
    'vacuum analyze polykeep_internal.calls, polykeep_internal.transitions, polykeep_internal.unsettled',
  );
  saySo('vacuum');
  await recount(client, () => {});
  await client.query('vacuum analyze polykeep_internal.rollups');
  saySo('rollups');
  return await sizesOf(client);
}

/** Of an archive without calls there is nothing to fill in. */
async function keepByCampaign(url: string): Promise<void> {
  const { pool, close } = openDatabase(url, silentLog);
  const keys = [STATS_KEY];
  await createStatsKeys({ pool, keys, everyMs: 1_000, clock: systemClock, log: silentLog }).addMissing();
  await close();
}

/** What the archive takes on disk. */
export async function archiveSizes(url: string): Promise<Sizes> {
  await using client = await connect(url);
  return await sizesOf(client);
}

async function sizesOf(client: Client): Promise<Sizes> {
  const { rows: relations } = await client.query<{ name: string; bytes: number }>(SIZES);
  const { rows } = await client.query<{ calls: number }>(
    'select count(*)::int as calls from polykeep_internal.calls',
  );
  return { calls: rows[0]?.calls ?? 0, relations };
}

async function connect(url: string): Promise<Client & AsyncDisposable> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query('set synchronous_commit = off');
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}
