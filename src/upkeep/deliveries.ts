import type { Pool, PoolClient } from 'pg';
import type { Logger } from 'pino';
import { whileLocked } from '../archive/advisory-lock.ts';
import type { Clock } from '../clock.ts';
import { createRounds, type Rounds } from './rounds.ts';

/** Advisory lock of the one process that deletes old deliveries. */
const DELIVERY_RETENTION_LOCK = 7_066_521_395;
/** After its delivery, or the end of its attempts; of one that waits for a disabled webhook, after it was due. */
const KEPT_DAYS = 30;
const BATCH_SIZE = 1_000;
/** Between two batches, so that others' writes get in. */
const PAUSE_MS = 50;

const WEBHOOKS = `
select id, deleted_at is not null as "isDeleted" from polykeep_internal.webhooks order by id`;

/** The next deliveries of a webhook, in the order in which they were written, and whether all of them are old. */
const DELETE_OLD = `
with page as (
  select id, created_at, coalesce(finished_at, next_attempt_at) as ended_at
    from polykeep_internal.deliveries
   where webhook_id = $1 and id > $2::int8
   order by id
   limit $4
), gone as (
  delete from polykeep_internal.deliveries d
   using page p
   where d.webhook_id = $1 and d.id = p.id and ($5 or p.ended_at < now() - $3 * interval '24 hours')
  returning d.id
)
select (select count(*)::int from gone) as deleted, max(id) as last,
       count(*) = $4 and ($5 or max(created_at) < now() - $3 * interval '24 hours') as "isMore"
  from page`;

/** A transaction that still saw it may have written a delivery for it since. */
const DELETE_WEBHOOK = `
delete from polykeep_internal.webhooks w
 where w.id = $1 and w.deleted_at < now() - interval '1 minute'
   and not exists (select from polykeep_internal.deliveries d where d.webhook_id = w.id)`;

interface Page {
  deleted: number;
  last: string | null;
  isMore: boolean;
}

interface DeliveryRetentionOptions {
  pool: Pool;
  everyMs: number;
  clock: Clock;
  log: Logger;
  batchSize?: number;
}

interface DeliveryRetention extends Rounds {
  /**
   * Deletes what was delivered long ago, and what belongs to webhooks that were removed. Returns how many, or null while
   * another process does it. Rejects with what Postgres says.
   */
  deleteOld(signal: AbortSignal): Promise<number | null>;
}

/** Deletes deliveries that nobody asks for any more, again and again. */
export function createDeliveryRetention(options: DeliveryRetentionOptions): DeliveryRetention {
  const { pool, everyMs, clock, log, batchSize = BATCH_SIZE } = options;

  async function round(signal: AbortSignal): Promise<void> {
    const deliveries = await deleteOld(signal);
    if (deliveries !== null && deliveries > 0) log.info({ deliveries }, 'deleted old deliveries to webhooks');
  }

  function deleteOld(signal: AbortSignal): Promise<number | null> {
    return whileLocked(pool, DELIVERY_RETENTION_LOCK, async (client) => {
      let total = 0;
      const { rows } = await client.query<{ id: number; isDeleted: boolean }>(WEBHOOKS);
      for (const { id, isDeleted } of rows) {
        total += await deleteOf(client, id, isDeleted, signal);
        if (isDeleted) await client.query(DELETE_WEBHOOK, [id]);
      }
      return total;
    });
  }

  async function deleteOf(
    client: PoolClient,
    webhook: number,
    isDeleted: boolean,
    signal: AbortSignal,
  ): Promise<number> {
    let total = 0;
    let page: Page = { deleted: 0, last: '0', isMore: true };
    while (page.isMore && !signal.aborted) {
      const values: unknown[] = [webhook, page.last, KEPT_DAYS, batchSize, isDeleted];
      const { rows } = await client.query<Page>(DELETE_OLD, values);
      page = rows[0] ?? { deleted: 0, last: null, isMore: false };
      total += page.deleted;
      if (page.isMore) await clock.sleep(PAUSE_MS, signal);
    }
    return total;
  }

  return {
    ...createRounds({ name: 'retention of deliveries', work: round, everyMs, clock, log }),
    deleteOld,
  };
}
