import { withClient } from '../archive/postgres-client.ts';
import { sqlState } from '../archive/sql-states.ts';
import { type Finding, unwell, well } from '../network/finding.ts';
import { createSecrets } from './secrets.ts';

const WEBHOOKS = `
select public_id as id, secret_check as "secretCheck" from polykeep_internal.webhooks where deleted_at is null`;
const NO_SUCH_TABLE = '42P01';

/** Whether this root is that of the webhooks in the archive; null: none is configured. Rejects where Postgres is away. */
export async function checkRoot(root: string | null, databaseUrl: string): Promise<Finding> {
  const found = await webhooksAt(databaseUrl);
  if (root === null) {
    return found.length === 0
      ? well('webhooks: there are none, and none can be made without WEBHOOKS_SECRET')
      : unwell(`webhooks: nothing is sent to the ${found.length} there are: WEBHOOKS_SECRET is not set`);
  }
  const secrets = createSecrets(root);
  const others = found.filter((webhook) => !secrets.isOurs(webhook));
  if (others.length === 0) return well(`webhooks: WEBHOOKS_SECRET is the root of all ${found.length}`);
  return unwell(
    `webhooks: WEBHOOKS_SECRET is not the root of ${others.length} of ${found.length}: give the one before back, ` +
      'or rotate their secrets (POST /v1/webhooks/ID/rotate)',
  );
}

async function webhooksAt(databaseUrl: string): Promise<{ id: string; secretCheck: string }[]> {
  try {
    const { rows } = await withClient(databaseUrl, 'polykeep check', (client) =>
      client.query<{ id: string; secretCheck: string }>(WEBHOOKS),
    );
    return rows;
  } catch (error) {
    // Nothing was migrated yet.
    if (sqlState(error) === NO_SUCH_TABLE) return [];
    throw error;
  }
}
