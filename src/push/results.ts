import type { Pool } from 'pg';
import { type SentColumn, unnested } from '../archive/write/unnest.ts';
import type { Claim } from './claims.ts';
import { FAILING_AT_MOST_DAYS } from './schedule.ts';

/** What is kept of an attempt. */
export interface AttemptRecord {
  at: string;
  ms: number;
  statusCode: number | null;
  error: string | null;
  /** The first of what the receiver answered. */
  answer: string;
}

/** What came of a claim. */
export interface Outcome {
  claim: Claim;
  status: 'delivered' | 'failed' | 'waiting';
  /** Of one that waits: how long. */
  afterMs: number;
  /** null: there was no attempt that counts, as where the process stops. */
  attempt: AttemptRecord | null;
}

const STATUSES = { waiting: 0, delivered: 1, failed: 2 } as const;
/** Of one that was sent again and again. */
const ATTEMPTS_KEPT = 20;

const COLUMNS: SentColumn<Outcome>[] = [
  ['webhook_id', 'int4', ({ claim }) => claim.webhook.number],
  ['id', 'int8', ({ claim }) => claim.id],
  ['lease', 'text', ({ claim }) => claim.lease],
  ['status', 'int2', ({ status }) => STATUSES[status]],
  ['after_ms', 'float8', ({ afterMs }) => afterMs],
  ['attempt', 'text', ({ attempt }) => (attempt === null ? null : JSON.stringify(attempt))],
];
const OUTCOMES = unnested(COLUMNS);

/**
 * Writes what came of deliveries, and calls up the next one of a call. What was delivered is delivered, whoever has it
 * by now; what was not is only told of by whom it still belongs to. It need not be on the disk: what a crash of Postgres
 * forgets is delivered again. `status < 1` for the reason that `claims.ts` gives.
 */
const WRITE_OUTCOMES = `
with relaxed as materialized (
  select set_config('synchronous_commit', 'off', true)
), u as materialized (
  select * from ${OUTCOMES.sql}
), told as (
  update polykeep_internal.deliveries d
     set status = u.status, leased_until = null,
         finished_at = case when u.status <> 0 then clock_timestamp() end,
         next_attempt_at = clock_timestamp() + u.after_ms * interval '1 ms',
         attempts = d.attempts + (u.attempt is not null)::int,
         history = case when u.attempt is null then d.history
                        when jsonb_array_length(d.history) < ${ATTEMPTS_KEPT} then d.history || u.attempt::jsonb
                        else d.history - 0 || u.attempt::jsonb end
    from u
   where d.webhook_id = u.webhook_id and d.id = u.id and d.status < 1 and (u.status = 1 or d.leased_until = u.lease::timestamptz)
  returning d.webhook_id, d.call_id, d.status
), next as (
  select distinct n.webhook_id, n.id
    from told t
   cross join lateral (
         select n.webhook_id, n.id from polykeep_internal.deliveries n
          where n.call_id = t.call_id and n.webhook_id = t.webhook_id and n.status < 1
            and not exists (select from u where u.webhook_id = n.webhook_id and u.id = n.id)
          order by n.seq, n.event, n.id
          limit 1) n
   where t.status <> 0
), called_up as (
  update polykeep_internal.deliveries d
     set next_attempt_at = clock_timestamp()
    from next n
   where d.webhook_id = n.webhook_id and d.id = n.id and d.status < 1 and d.leased_until is null
  returning d.id
)
select (select count(*)::int from called_up) as called_up from relaxed`;

/** Rejects with what Postgres says; to write them again is right. */
export async function writeOutcomes(pool: Pool, outcomes: readonly Outcome[]): Promise<void> {
  await pool.query({ name: 'delivery_outcomes', text: WRITE_OUTCOMES, values: OUTCOMES.values(outcomes) });
}

/** How an endpoint did in a few attempts. */
export interface Health {
  /** Of the endpoint. */
  number: number;
  anySucceeded: boolean;
  /** It wants no more. */
  isGone: boolean;
  /** It asked to be left alone for so long. */
  holdMs: number | null;
}

/** An endpoint that was just disabled. */
export interface Disabled {
  id: string;
  url: string;
  reason: string;
  failingSince: Date | null;
}

const HEALTH_COLUMNS: SentColumn<Health>[] = [
  ['id', 'int4', ({ number }) => number],
  ['succeeded', 'bool', ({ anySucceeded }) => anySucceeded],
  ['is_gone', 'bool', ({ isGone }) => isGone],
  ['hold_ms', 'float8', ({ holdMs }) => holdMs],
];
const HEALTH = unnested(HEALTH_COLUMNS);

/** Apart from the outcomes: who claims has locked the endpoint first and then deliveries, and these are the reverse. */
const WRITE_HEALTH = `
with judged as (
  select u.*, not u.succeeded and not u.is_gone
              and coalesce(w.failing_since < now() - ${FAILING_AT_MOST_DAYS} * interval '24 hours', false) as is_failing
    from ${HEALTH.sql}
    join polykeep_internal.webhooks w on w.id = u.id
), written as (
  update polykeep_internal.webhooks w
     set failing_since = case when j.succeeded then null else coalesce(w.failing_since, now()) end,
         held_until = case when j.hold_ms is null then w.held_until
                           else greatest(w.held_until, now() + j.hold_ms * interval '1 ms') end,
         enabled = w.enabled and not j.is_gone and not j.is_failing,
         disabled_reason = case when not w.enabled then w.disabled_reason
                                when j.is_gone then 'gone' when j.is_failing then 'failing' end,
         disabled_at = case when not w.enabled then w.disabled_at
                            when j.is_gone or j.is_failing then now() end
    from judged j
   where w.id = j.id
  returning w.public_id as id, w.url, w.disabled_reason as reason, w.failing_since as "failingSince",
            w.disabled_at = now()::timestamptz(3) as is_news
)
select id, url, reason, "failingSince" from written where is_news`;

/** Gives those that it disabled. Rejects with what Postgres says. */
export async function writeHealth(pool: Pool, health: readonly Health[]): Promise<Disabled[]> {
  const { rows } = await pool.query<Disabled>({
    name: 'webhook_health',
    text: WRITE_HEALTH,
    values: HEALTH.values(health),
  });
  return rows;
}
