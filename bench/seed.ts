import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { startEmbeddedPostgres } from '../src/archive/embedded-postgres.ts';
import { migrateDatabase } from '../src/archive/migrations.ts';
import { silentLog } from '../test/support/log.ts';

/**
 * An archive as large as one grows in 90 days: `node bench/seed.ts [--calls 1000000]` fills the empty DATABASE_URL, or
 * a Postgres of its own in a temporary folder, which it keeps running until Ctrl-C. Prints what a call takes on disk.
 */
const { values } = parseArgs({ options: { calls: { type: 'string', default: '1000000' } } });
const calls = Number(values.calls);
/** A transaction each, so that the feed has many to go through, as from followers that write what they saw together. */
const CALLS_PER_TRANSACTION = 100;

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
select pg_total_relation_size('calls') as calls, pg_total_relation_size('transitions') as transitions,
       (select count(*)::int from calls) as calls_rows, (select count(*)::int from transitions) as transitions_rows`;

interface Sizes {
  calls: string;
  transitions: string;
  calls_rows: number;
  transitions_rows: number;
}

const given = process.env.DATABASE_URL;
const postgres = given === undefined ? await ownPostgres() : null;
const url = given ?? postgres?.url ?? '';
await seed(url);
if (postgres !== null) {
  console.log(`DATABASE_URL=${url}`);
  const idle = setInterval(() => {}, 60_000);
  const stop = () => {
    clearInterval(idle);
    void postgres.stop();
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
}

async function ownPostgres() {
  const folder = await mkdtemp(join(tmpdir(), 'polykeep-bench-'));
  // Its server is another user's where we are root.
  await chmod(folder, 0o755);
  return startEmbeddedPostgres({ dataDir: join(folder, 'data'), log: console.error });
}

async function seed(url: string): Promise<void> {
  await migrateDatabase(url, silentLog);
  const client = new Client({ connectionString: url });
  await client.connect();
  const started = performance.now();
  await client.query(`set synchronous_commit = off; select setseed(0.5)`);
  await client.query(UTC);
  for (let from = 1; from <= calls; from += CALLS_PER_TRANSACTION) {
    const to = Math.min(calls, from + CALLS_PER_TRANSACTION - 1);
    await client.query({ name: 'seed', text: SEED, values: [from, to, calls] });
    if (to % 100_000 === 0) console.error(`${to} calls after ${seconds(started)} s`);
  }
  // As autovacuum leaves it after a while: statistics, and no pending entries in the metadata's index.
  await client.query('vacuum analyze calls, transitions');
  const { rows } = await client.query<Sizes>(SIZES);
  await client.end();
  const [sizes] = rows;
  if (sizes === undefined) throw new Error('no sizes');
  const bytesPerCall = (Number(sizes.calls) + Number(sizes.transitions)) / sizes.calls_rows;
  console.log(
    JSON.stringify({ ...sizes, bytesPerCall: Math.round(bytesPerCall), seconds: seconds(started) }),
  );
}

function seconds(since: number): number {
  return Math.round((performance.now() - since) / 1000);
}
