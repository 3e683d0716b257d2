import { Client } from 'pg';
import { onTestFinished } from 'vitest';

/** Somebody else's session of the database, in which the statements have been run; it ends with the test. */
export async function openSession({ url }: { url: string }, ...statements: string[]): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  onTestFinished(() => client.end());
  for (const statement of statements) await client.query(statement);
  return client;
}
