import { Client, type ClientBase } from 'pg';
import { postgresAddressOf } from '../network/postgres-url.ts';
import { PostgresConnectError } from './errors.ts';
import { beginSession, type SessionLimits, USUAL_LIMITS } from './session.ts';

const CONNECT_WITHIN_MS = 5_000;
const CLOSE_WITHIN_MS = 1_000;

/**
 * What all connections have in common. The network asks a silent peer after 10 s whether it is still there, and not
 * after the two hours that Linux takes by itself.
 */
export const CONNECTION = {
  connectionTimeoutMillis: CONNECT_WITHIN_MS,
  keepAlive: true,
  keepAliveInitialDelayMillis: 10_000,
} as const;

/**
 * A connection of its own, outside the pool, and not yet open: `startClient` opens it. `name` is its
 * `application_name`, by which `pg_stat_activity` shows it.
 */
export function createClient(url: string, name: string, limits: SessionLimits = USUAL_LIMITS): Client {
  const client = new Client({
    ...CONNECTION,
    ...postgresAddressOf(url),
    application_name: name,
    query_timeout: limits.answerMs,
  });
  ignoreErrorEvents(client);
  return client;
}

/** Opens it and sets its limits. Throws `PostgresConnectError` where it is not open within 5 s; then it is closed. */
export async function startClient(client: Client, limits: SessionLimits = USUAL_LIMITS): Promise<void> {
  try {
    await client.connect();
    await beginSession(client, limits);
  } catch (error) {
    await closeClient(client);
    throw new PostgresConnectError(placeOf(client), error);
  }
}

/** Which server, database and role: as people name them, without the password. */
export function placeOf({ host, port, database, user }: Client): string {
  const address = host.includes(':') ? `[${host}]` : host;
  return `Postgres at ${address}:${port} (database "${database ?? ''}", user "${user ?? ''}")`;
}

/** The same of a URL. */
export function placeOfUrl(url: string): string {
  return placeOf(createClient(url, 'polykeep'));
}

/** Makes a connection of its own and opens it. Rejects as `startClient` does. */
export async function openClient(url: string, name: string, limits = USUAL_LIMITS): Promise<Client> {
  const client = createClient(url, name, limits);
  await startClient(client, limits);
  return client;
}

/** Closes a connection in whatever state it is, within a second; null: there is none. */
export async function closeClient(client: Client | null): Promise<void> {
  if (client === null) return;
  const timer = setTimeout(() => hangUp(client), CLOSE_WITHIN_MS);
  // What cannot be closed is gone already.
  await client.end().catch(() => {});
  clearTimeout(timer);
}

/** Drops the connection without a word to the server, which may not hear one. */
export function hangUp(client: Client): void {
  client.connection.stream.destroy();
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
