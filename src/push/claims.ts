import type { Pool } from 'pg';
import { EVENTS_OF_DELIVERIES } from '../archive/read/event-json.ts';
import { inTransaction } from '../archive/transaction.ts';
import type { EventText } from './message.ts';
import { eventOf, type Signer } from './webhook.ts';

/** A delivery that this process is to make now, and no other. */
export interface Claim {
  /** `bigint`, as text. */
  id: string;
  webhook: ClaimedWebhook;
  told: EventText;
  /** Until when, as Postgres wrote it: by this the process shows that the delivery is still its own. */
  lease: string;
  /** Attempts before this one. */
  attempts: number;
  /** Since the event was written down. */
  ageMs: number;
}

export interface ClaimedWebhook extends Signer {
  number: number;
  url: string;
  isFailing: boolean;
}

/** Requests to one endpoint at a time, of all processes. */
export const MAX_UNDER_WAY = 20;
/** An attempt has 15 s; whoever has not said by then what came of it is gone. */
const LEASE_MS = 30_000;
/** So many are looked at for each endpoint: of those of one call only the first may go. */
const LOOKED_AT = 100;
/** One that waits behind another which is under way is looked at again after so long, should nobody call it up. */
const LOOK_AGAIN_MS = 1_000;

/**
 * Endpoints that have something due, each locked for the transaction: two processes that counted what is under way at the
 * same time would both fill up the rest.
 */
const LOCK_WEBHOOKS = `
select w.id as number, w.public_id as id, w.url, w.rotations, w.secret_check as "secretCheck",
       w.failing_since is not null as "isFailing"
  from polykeep_internal.webhooks w
 where w.enabled and w.deleted_at is null and coalesce(w.held_until <= now(), true)
   and exists (select from polykeep_internal.deliveries d
                where d.webhook_id = w.id and d.status = 0 and d.next_attempt_at <= now())
 order by w.id
   for no key update of w skip locked`;

/**
 * Takes up, of each endpoint, what is due longest, as far as there is room. Of one call only the first may go: others
 * are put off until that one is done (`results.ts` calls them up), so that they are not looked at again and again. Where
 * a row is found by its id or its call, it says `status < 1`: by `= 0` Postgres could take the index of all that is due.
 */
const CLAIM = `
with room as materialized (
  select w.id as webhook_id,
         $2 - (select count(*) from polykeep_internal.deliveries d
                where d.webhook_id = w.id and d.leased_until > now())::int as free
    from unnest($1::int[]) as w(id)
), due as materialized (
  select d.webhook_id, d.id, r.free, b.put_off_until,
         row_number() over (partition by d.webhook_id, b.put_off_until is null order by d.next_attempt_at, d.id) as place
    from room r
   cross join lateral (
         select * from polykeep_internal.deliveries d
          where d.webhook_id = r.webhook_id and d.status = 0 and d.next_attempt_at <= now()
          order by d.next_attempt_at
          limit case when r.free > 0 then $4::int else 0 end) d
    left join lateral (
         select case when b.next_attempt_at > now() and b.leased_until is null
                     then b.next_attempt_at else now() + $5 * interval '1 ms' end as put_off_until
           from polykeep_internal.deliveries b
          where b.call_id = d.call_id and b.webhook_id = d.webhook_id and b.status < 1
            and (b.seq, b.event, b.id) < (d.seq, d.event, d.id)
          order by b.seq, b.event, b.id
          limit 1) b on true
), put_off as (
  update polykeep_internal.deliveries d
     set next_attempt_at = u.put_off_until
    from due u
   where d.webhook_id = u.webhook_id and d.id = u.id and d.status < 1 and u.put_off_until is not null
), claimed as (
  update polykeep_internal.deliveries d
     set leased_until = now() + $3 * interval '1 ms', next_attempt_at = now() + $3 * interval '1 ms'
    from due u
   where d.webhook_id = u.webhook_id and d.id = u.id and d.status < 1 and u.put_off_until is null and u.place <= u.free
  returning d.*
)
select d.webhook_id as number, d.id, d.leased_until::text as lease, d.attempts,
       date_part('epoch', clock_timestamp() - d.created_at) * 1000 as "ageMs",
       d.event, d.call_id as "callId", d.seq, d.occurred_at as "occurredAt", e.json, e.history
  from claimed d
${EVENTS_OF_DELIVERIES}`;

/** It need not be on the disk: what a crash of Postgres forgets is delivered again. */
const BEGIN = 'begin; set local synchronous_commit = off';

interface ClaimRow extends Omit<EventText, 'event'>, Pick<Claim, 'id' | 'lease' | 'attempts' | 'ageMs'> {
  number: number;
  event: number;
}

/**
 * Claims deliveries that are due, of each endpoint for which `isOurs` as many as there is room for. Rejects with what
 * Postgres says; what was claimed then is lost to everybody until its lease ends.
 */
export function claimDeliveries(pool: Pool, isOurs: (webhook: ClaimedWebhook) => boolean): Promise<Claim[]> {
  return inTransaction(pool, BEGIN, async (client) => {
    const locked = await client.query<ClaimedWebhook>({ name: 'lock_webhooks', text: LOCK_WEBHOOKS });
    const webhooks = new Map(locked.rows.filter(isOurs).map((webhook) => [webhook.number, webhook]));
    if (webhooks.size === 0) return [];
    const values = [[...webhooks.keys()], MAX_UNDER_WAY, LEASE_MS, LOOKED_AT, LOOK_AGAIN_MS];
    const { rows } = await client.query<ClaimRow>({ name: 'claim_deliveries', text: CLAIM, values });
    return rows.flatMap((row) => claimOf(row, webhooks.get(row.number)));
  });
}

function claimOf(row: ClaimRow, webhook: ClaimedWebhook | undefined): Claim[] {
  const { id, lease, attempts, ageMs, callId, seq, occurredAt, json, history } = row;
  const event = eventOf(row.event);
  if (webhook === undefined || event === undefined) return [];
  return [{ id, webhook, lease, attempts, ageMs, told: { event, callId, seq, occurredAt, json, history } }];
}
