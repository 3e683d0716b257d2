import type { Pool, PoolClient } from 'pg';
import { answering } from '../archive/database.ts';
import { inTransaction } from '../archive/transaction.ts';

/** What is to be sent again: all that happened from `since` on and before `until`. */
export interface Span {
  since: Date;
  until: Date;
}

/** A replay as it lies in the archive. */
interface ReplayRow {
  id: number;
  webhook: number;
  isDeleted: boolean;
  /** Enough waits for the endpoint already, or it is disabled. */
  isHeld: boolean;
}

/** Calls of one step, which is one statement. */
const CALLS_AT_ONCE = 2_000;
/** While so many wait for an endpoint, a replay adds no more: what happens now is not to wait behind a month. */
const WAITING_AT_MOST = 5_000;

/** Where the text of `eventsOf` finds what. */
interface Places {
  /** A `from` with the webhook as `w`. */
  from: string;
  after: string;
  upTo: string;
  since: string;
  until: string;
}

/** What happened in the span to the calls behind `after` up to `upTo`, as far as the webhook's filters match it now. */
const eventsOf = ({ from, after, upTo, since, until }: Places) => `
select w.id as webhook_id, c.id as call_id, e.event::int2 as event, e.seq, e.outcome, e.occurred_at
  from ${from}
  left join polykeep_internal.accounts a on a.name = w.account
  join polykeep_internal.calls c
    on c.id > ${after} and c.id <= ${upTo} and c.metadata @> w.metadata and (w.account is null or c.account = a.id)
   and coalesce(c.settled_at >= ${since}, true)
 cross join lateral (
       select 1 as event, t.seq, null::int2 as outcome, t.observed_at as occurred_at
         from polykeep_internal.transitions t
        where t.call_id = c.id and t.observed_at >= ${since} and t.observed_at < ${until}
        union all
       select 2, c.transition_count, c.outcome, c.settled_at
        where c.settled_at >= ${since} and c.settled_at < ${until}) e
 where e.event = any(w.events)`;

const COUNTED = eventsOf({
  from: '(select * from polykeep_internal.webhooks where id = $1) w',
  after: '$2::int8',
  upTo: '$3::int8',
  since: '$4::timestamptz',
  until: '$5::timestamptz',
});
const COUNT = `select count(*)::int as count from (${COUNTED}) e`;

/**
 * The calls that may have something of the span: the first that settled in it or later, or is followed still, and the
 * last that was registered before its end, with a day for clocks that are apart.
 */
const RANGE = `
select w.id as webhook,
       coalesce(least((select min(id) from (select id from polykeep_internal.calls
                                             where settled_at >= $2::timestamptz offset 0) c),
                      (select min(call_id) from polykeep_internal.unsettled)) - 1, 0) as after,
       coalesce((select max(id) from (select id from polykeep_internal.calls
                                       where registered_at < $3::timestamptz + interval '1 day'
                                       order by registered_at desc limit 1000) c), 0) as "upTo"
  from polykeep_internal.webhooks w
 where w.public_id = $1 and w.deleted_at is null`;

const ADD = `
insert into polykeep_internal.replays (webhook_id, since, until, done_up_to, up_to) values ($1, $4, $5, $2, $3)`;

/**
 * Counts what is to be sent again, and has it sent a few calls at a time. Gives the number, or null where there is no
 * such webhook. Rejects with `ArchiveUnavailableError`.
 */
export async function replay(pool: Pool, webhook: string, { since, until }: Span): Promise<number | null> {
  type Range = { webhook: number; after: string; upTo: string };
  const [range] = (await answering(pool.query<Range>(RANGE, [webhook, since, until]))).rows;
  if (range === undefined) return null;
  const values = [range.webhook, range.after, range.upTo, since, until];
  const [{ count } = { count: 0 }] = (await answering(pool.query<{ count: number }>(COUNT, values))).rows;
  if (count > 0) await answering(pool.query(ADD, values));
  return count;
}

const NEXT = `
select r.id, r.webhook_id as webhook, coalesce(w.deleted_at is not null, true) as "isDeleted",
       not coalesce(w.enabled, true)
         or (select count(*) from (select from polykeep_internal.deliveries d
                                    where d.webhook_id = r.webhook_id and d.status = 0 limit $1) d) >= $1 as "isHeld"
  from polykeep_internal.replays r
  left join polykeep_internal.webhooks w on w.id = r.webhook_id
 order by r.id
   for update of r skip locked`;

/** What is under way now is being sent already. */
const STEP = `
with replay as (
  select r.*, least(r.done_up_to + $2, r.up_to) as step_up_to from polykeep_internal.replays r where r.id = $1
), events as (${eventsOf({
  from: 'replay r join polykeep_internal.webhooks w on w.id = r.webhook_id',
  after: 'r.done_up_to',
  upTo: 'r.step_up_to',
  since: 'r.since',
  until: 'r.until',
})}
), sent as (
  insert into polykeep_internal.deliveries as d (webhook_id, call_id, event, seq, outcome, occurred_at)
  select webhook_id, call_id, event, seq, outcome, occurred_at from events order by call_id, seq, event
      on conflict (call_id, webhook_id, seq, event, occurred_at) do update
     set status = 0, attempts = 0, finished_at = null, next_attempt_at = clock_timestamp()
   where d.leased_until is null
), gone as (
  delete from polykeep_internal.replays r using replay p where r.id = p.id and p.step_up_to >= p.up_to
)
update polykeep_internal.replays r
   set done_up_to = p.step_up_to
  from replay p
 where r.id = p.id and p.step_up_to < p.up_to`;

/**
 * Takes steps of replays for as long as there are any to be taken now, or until the abort. `wake` has what was added
 * delivered soon. Rejects with what Postgres says.
 */
export async function takeReplaySteps(pool: Pool, wake: () => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await replayStep(pool))) wake();
}

/** False where there is none to be taken now. */
function replayStep(pool: Pool): Promise<boolean> {
  return inTransaction(pool, 'begin', async (client) => {
    const { rows } = await client.query<ReplayRow>(NEXT, [WAITING_AT_MOST]);
    const next = rows.find(({ isDeleted, isHeld }) => isDeleted || !isHeld);
    if (next === undefined) return false;
    await take(client, next);
    return true;
  });
}

async function take(client: PoolClient, { id, isDeleted }: ReplayRow): Promise<void> {
  if (isDeleted) await client.query('delete from polykeep_internal.replays where id = $1', [id]);
  else await client.query(STEP, [id, CALLS_AT_ONCE]);
}
