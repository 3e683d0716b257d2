import type { Pool } from 'pg';
import { answering } from '../archive/database.ts';
import type { CallEvent } from '../call/event.ts';
import { messageId } from './message.ts';
import type { AttemptRecord } from './results.ts';
import { eventOf } from './webhook.ts';

export const DELIVERY_STATUSES = ['pending', 'delivered', 'failed'] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** What an endpoint was told, or is to be. */
export interface Delivery {
  id: string;
  /** What its receiver knows the event by, as the header `webhook-id`. */
  messageId: string;
  event: CallEvent;
  callSid: string;
  occurredAt: Date;
  createdAt: Date;
  status: DeliveryStatus;
  /** null where there is none to come. */
  nextAttemptAt: Date | null;
  finishedAt: Date | null;
  /** The newest last. */
  attempts: AttemptRecord[];
}

interface DeliveryQuery {
  status?: DeliveryStatus;
  /** null: of all calls. */
  callSid: string | null;
  limit: number;
  /** Only those that were written before this one. */
  before: string | null;
}

export interface DeliveryPage {
  deliveries: Delivery[];
  /** The last of them, where more follow it. */
  next: string | null;
}

/** All reject with `ArchiveUnavailableError` where Postgres is away. */
export interface Deliveries {
  /** Newest first; null where there is no such webhook. */
  list(webhook: string, query: DeliveryQuery): Promise<DeliveryPage | null>;
  /** Sends it again, now and with all attempts; null where it is not there. */
  resend(webhook: string, id: string): Promise<Delivery | null>;
}

const FIELDS = `
 d.id, d.event, d.call_id as "callId", c.call_sid as "callSid", d.seq, d.occurred_at as "occurredAt",
 d.created_at as "createdAt", d.status, case when d.status = 0 then d.next_attempt_at end as "nextAttemptAt",
 d.finished_at as "finishedAt", d.history as attempts`;

const NUMBER = 'select id from polykeep_internal.webhooks where public_id = $1 and deleted_at is null';

const list = (condition: string) => `
select ${FIELDS}
  from polykeep_internal.deliveries d
  join polykeep_internal.calls c on c.id = d.call_id
 where d.webhook_id = $1 and d.id < $2 and ($4::text is null or c.call_sid = $4) ${condition}
 order by d.id desc
 limit $3`;
/** By the status as it stands in the text, Postgres sees that an index has those alone. */
const LISTS = {
  any: list(''),
  pending: list('and d.status = 0'),
  delivered: list('and d.status = 1'),
  failed: list('and d.status = 2'),
};
const NEWEST = '9223372036854775807';

const RESEND = `
with d as (
  update polykeep_internal.deliveries d
     set status = 0, attempts = 0, finished_at = null, leased_until = null, next_attempt_at = clock_timestamp()
   where d.webhook_id = (${NUMBER}) and d.id = $2
  returning *
)
select ${FIELDS} from d join polykeep_internal.calls c on c.id = d.call_id`;

interface DeliveryRow extends Omit<Delivery, 'messageId' | 'event' | 'status'> {
  event: number;
  status: number;
  callId: string;
  seq: number;
}

/** `archive`: its id. `wake`: has what was sent again delivered soon. */
export function createDeliveries(pool: Pool, archive: string, wake: () => void): Deliveries {
  function deliveryOf({ callId, seq, event: code, status, ...row }: DeliveryRow): Delivery {
    const event = eventOf(code) ?? 'call.transition';
    return {
      ...row,
      event,
      status: DELIVERY_STATUSES[status] ?? 'pending',
      messageId: messageId(archive, { event, callId, seq, occurredAt: row.occurredAt }),
    };
  }

  return {
    async list(webhook, { status, callSid, limit, before }) {
      const [found] = (await answering(pool.query<{ id: number }>(NUMBER, [webhook]))).rows;
      if (found === undefined) return null;
      const values = [found.id, before ?? NEWEST, limit + 1, callSid];
      const { rows } = await answering(pool.query<DeliveryRow>(LISTS[status ?? 'any'], values));
      const page = rows.slice(0, limit);
      return {
        deliveries: page.map(deliveryOf),
        next: rows.length > limit ? (page.at(-1)?.id ?? null) : null,
      };
    },

    async resend(webhook, id) {
      const [row] = (await answering(pool.query<DeliveryRow>(RESEND, [webhook, id]))).rows;
      if (row === undefined) return null;
      wake();
      return deliveryOf(row);
    },
  };
}
