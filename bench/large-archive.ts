import { Client } from 'pg';

/** A transaction each, so that the feed has many to go through, as from followers that write what they saw together. */
const CALLS_PER_TRANSACTION = 100;
/** Sessions that write at a time. */
const SESSIONS = 2;

/**
 * Calls $1 to $2 of $3, oldest first. Of a hundred 94 are queued, calling and ended; three end no more (lost,
 * abandoned, or followed still where they are of the last hour), and three have one status more: 300 transitions.
 *
 * Ten campaigns run all the time, the first ones more than the last; ten more took nine days each, one after the other.
 * The account emea shows PolyAI's older body, with times and without reasons.
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
  select *, at + interval '1 s' as first_seen, account = 'emea' as dated,
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
         case when dated then date_trunc('second', changes[change]) end as last_updated
    from lived, generate_series(1, 4) change,
         lateral (select (array['queued', 'calling', 'in-progress', outcome])[change] as status,
                         greatest(first_seen, changes[change] + late * interval '1 s') as seen) t
   where case change when 3 then n % 100 in (11, 12, 13) when 4 then n % 100 not in (1, 2, 3) else true end
), shown as materialized (
  select *, case when dated
              then jsonb_build_object('callSid', call_sid, 'status', status, 'created_at', pg_temp.utc(at),
                                      'last_updated', pg_temp.utc(last_updated))
              else jsonb_build_object('status', status, 'reason', coalesce(reason, '')) end as payload
    from changes
), registered as (
  insert into calls (call_sid, account, status, outcome, reason, metadata, registered_at, created_at, last_updated,
                     first_seen_at, last_seen_at, settled_at, followed_until, polls, failed_polls, last_body)
  select l.call_sid, account, s.status, outcome, s.reason,
         jsonb_build_object('campaign', campaign, 'customer', 'C-' || l.n % 200000), l.at,
         case when l.dated then date_trunc('second', l.at) end, s.last_updated, first_seen, s.seen,
         case when outcome is not null then s.seen end, s.seen, (queued + calling) / between, (late < 0.2)::int,
         s.payload::text
    from lived l cross join lateral (select * from shown where shown.n = l.n order by seq desc limit 1) s
)
insert into transitions (call_sid, seq, status, reason, changed_after, observed_at, last_updated, payload)
select call_sid, seq, status, reason, changed_after, seen, last_updated, payload
  from shown
 order by seen`;

/** For this session alone. */
const UTC = `
create function pg_temp.utc(at timestamptz) returns text language sql immutable
return to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`;

const SIZES = `
select relname as name, pg_table_size(oid)::float8 as bytes
  from pg_class
 where relnamespace = 'public'::regnamespace and relkind in ('r', 'i')
 order by bytes desc`;

/** Tables (without their indexes) and indexes, the largest first. */
export interface Sizes {
  calls: number;
  relations: { name: string; bytes: number }[];
}

/** Keys and indexes, in the order in which they can be dropped; made at the end, and not kept while rows come. */
const MADE_AFTERWARDS = `
select format('alter table %s drop constraint %I', conrelid::regclass, conname) as gone,
       format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) as back,
       array_position(array['f', 'p'], contype::text) as place
  from pg_constraint
 where conrelid in ('calls'::regclass, 'transitions'::regclass) and contype in ('f', 'p')
union all
select format('drop index %I', c.relname), pg_get_indexdef(i.indexrelid), 0
  from pg_index i join pg_class c on c.oid = i.indexrelid
 where i.indrelid in ('calls'::regclass, 'transitions'::regclass) and not i.indisprimary
 order by place`;

/** Fills an empty, migrated database with a call for each number up to `calls`, and returns what it takes on disk. */
export async function fillArchive(url: string, calls: number, say: (line: string) => void): Promise<Sizes> {
  const started = performance.now();
  const saySo = (line: string) => say(`${line} after ${Math.round((performance.now() - started) / 1000)} s`);
  await using client = await connect(url);
  const { rows: later } = await client.query<{ gone: string; back: string }>(MADE_AFTERWARDS);
  for (const { gone } of later) await client.query(gone);
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
  await client.query('vacuum analyze calls, transitions');
  saySo('vacuum');
  return await sizesOf(client);
}

/** What the archive takes on disk. */
export async function archiveSizes(url: string): Promise<Sizes> {
  await using client = await connect(url);
  return await sizesOf(client);
}

async function sizesOf(client: Client): Promise<Sizes> {
  const { rows: relations } = await client.query<{ name: string; bytes: number }>(SIZES);
  const { rows } = await client.query<{ calls: number }>('select count(*)::int as calls from calls');
  return { calls: rows[0]?.calls ?? 0, relations };
}

async function connect(url: string): Promise<Client & AsyncDisposable> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query('set synchronous_commit = off');
  await client.query(UTC);
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}
