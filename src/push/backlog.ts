import type { Pool } from 'pg';

/** What waits to be told. */
export interface Backlog {
  /** Deliveries that wait, to webhooks that are enabled. */
  pending: number;
  /** Since the one that has waited longest was written down, in seconds; 0 where none waits. */
  oldestS: number;
  enabled: number;
  disabled: number;
}

const BACKLOG = `
select count(*) filter (where w.enabled)::int as enabled,
       count(*) filter (where not w.enabled)::int as disabled,
       coalesce(sum(d.pending) filter (where w.enabled), 0)::int as pending,
       coalesce(date_part('epoch', clock_timestamp() - min(d.oldest) filter (where w.enabled)), 0) as "oldestS"
  from polykeep_internal.webhooks w
 cross join lateral (
       select count(*) as pending, min(created_at) as oldest
         from polykeep_internal.deliveries d
        where d.webhook_id = w.id and d.status = 0) d
 where w.deleted_at is null`;

/** Rejects with what Postgres says. */
export async function readBacklog(pool: Pool): Promise<Backlog> {
  const { rows } = await pool.query<Backlog>({ name: 'push_backlog', text: BACKLOG });
  return rows[0] ?? { pending: 0, oldestS: 0, enabled: 0, disabled: 0 };
}
