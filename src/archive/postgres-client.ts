import { Client, type ClientBase, type ClientConfig } from 'pg';

const CONNECT_WITHIN_MS = 5_000;

/**
 * A connection of its own, outside the pool, and not yet open. `name` is its `application_name`, by which
 * `pg_stat_activity` shows it.
 */
export function createClient(
  url: string,
  name: string,
  more: Pick<ClientConfig, 'query_timeout'> = {},
): Client {
  const client = new Client({
    connectionString: url,
    application_name: name,
    connectionTimeoutMillis: CONNECT_WITHIN_MS,
    keepAlive: true,
    ...more,
  });
  ignoreErrorEvents(client);
  return client;
}

/** Opens a connection of its own. Rejects with what pg says where it is not open within 5 s. */
export async function openClient(url: string, name: string): Promise<Client> {
  const client = createClient(url, name);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await closeClient(client);
    throw error;
  }
}

/** Closes a connection in whatever state it is; null: there is none. */
export async function closeClient(client: Client | null): Promise<void> {
  await client?.end().catch(() => {});
}

/** Does the work on a connection of its own, which is closed after it. Rejects as `openClient` and the work do. */
export async function withClient<Result>(
  url: string,
  name: string,
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  const client = await openClient(url, name);
  try {
    return await work(client);
  } finally {
    await closeClient(client);
  }
}

/**
 * pg tells of a connection that breaks twice: the query that runs, or else the next one, rejects, and the client emits
 * `error`. The rejection is enough; without a listener the event would end the process.
 */
export function ignoreErrorEvents(client: ClientBase): void {
  client.on('error', () => {});
}
