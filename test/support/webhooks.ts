import { createSecrets } from '../../src/push/secrets.ts';
import type { TestDatabase } from './database.ts';
import { ROOT_SECRET } from './server.ts';

/** A webhook that lies in the archive, and a delivery of it, by the names of their parameters. */
export interface StoredWebhook extends Record<string, string> {
  id: string;
  deliveryId: string;
}

/** At a port where nobody listens; with a delivery of the first call there is. The only one. */
export async function storeWebhook({ query }: Pick<TestDatabase, 'query'>): Promise<StoredWebhook> {
  const id = 'wh_stored';
  await query('truncate polykeep_internal.webhooks, polykeep_internal.deliveries');
  const [row] = await query<{ deliveryId: string }>(
    `with stored as (
       insert into polykeep_internal.webhooks (public_id, url, events, secret_check)
       values ($1, 'http://127.0.0.1:1/hook', '{1,2}', $2)
       returning id
     )
     insert into polykeep_internal.deliveries (webhook_id, call_id, event, seq, outcome, occurred_at)
     select stored.id, (select min(id) from polykeep_internal.calls), 2, 1, 1, now() from stored
     returning id as "deliveryId"`,
    [id, createSecrets(ROOT_SECRET).check(id)],
  );
  if (row === undefined) throw new Error('no delivery was stored');
  return { id, ...row };
}
