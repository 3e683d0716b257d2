import type { Client } from 'pg';
import { withClient } from './postgres-client.ts';

/** Locks, migrations, `LISTEN` and cursors were to be on a connection of which no two statements need be on one server. */
export class TransactionPoolerError extends Error {
  override readonly name = 'TransactionPoolerError';
  readonly code = 'transaction_pooler';

  constructor() {
    super(
      'Postgres is reached through a pooler in transaction mode, where nothing can be locked or listened to: ' +
        'set DATABASE_DIRECT_URL to the server itself; DATABASE_URL may stay the pooler',
    );
  }
}

/**
 * Throws `TransactionPoolerError` where the open connection is one through a pooler in transaction mode. A pooler tells
 * of a process that is not that of the server; and one in transaction mode gives the server's to the next who begins a
 * transaction, while the first does nothing.
 */
export async function refuseTransactionPooler(client: Client, url: string): Promise<void> {
  const pid = await serverPid(client);
  if ('processID' in client && client.processID === pid) return;
  const other = await withClient(url, 'polykeep pooler', serverPid);
  if (other === pid) throw new TransactionPoolerError();
}

async function serverPid(client: Client): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return rows[0]?.pid;
}
