import type { Client } from 'pg';
import { type Finding, unwell, well } from '../network/finding.ts';
import { wordsOf } from '../words.ts';
import { WRITE_PROBE } from './health.ts';
import { ArchivePool } from './pool.ts';
import { refuseTransactionPooler } from './pooler.ts';
import { closeClient, openClient, placeOf, placeOfUrl } from './postgres-client.ts';
import { refuseOtherEncoding } from './schema/migrations.ts';
import { missingRight } from './schema/rights.ts';
import { pendingMigrations } from './schema/version.ts';
import { hasNoTls, sqlState } from './sql-states.ts';

/** The oldest that its makers still look after. */
const OLDEST = 14;

export interface CheckedUrls {
  /** The server itself. */
  direct: string;
  /** A pooler before it; null: there is none. */
  pooled: string | null;
}

/** Whether Postgres is there, and takes what polykeep needs of it. Changes nothing. */
export async function checkPostgres({ direct, pooled }: CheckedUrls): Promise<Finding[]> {
  let client: Client | null = null;
  try {
    client = await openClient(direct, 'polykeep check');
    const findings = [
      await versionOf(client),
      await tried('its encoding', refuseOtherEncoding(client), 'UTF8'),
    ];
    const isDirect = await tried('the way to it', refuseTransactionPooler(client, direct), 'direct');
    findings.push(isDirect, await rightsOf(client));
    if (pooled !== null) findings.push(await checkPooler(pooled));
    return findings;
  } catch (error) {
    const variable = pooled === null ? 'DATABASE_URL' : 'DATABASE_DIRECT_URL';
    return [unwell(`${wordsOf(error)}: ${adviceOn(error, variable)}`)];
  } finally {
    await closeClient(client);
  }
}

/** What to do about a connection that did not come about. */
function adviceOn(error: unknown, variable: string): string {
  const state = sqlState(error) ?? '';
  if (state.startsWith('28')) return `set the user and password of ${variable} right`;
  if (state.startsWith('3D')) return `create the database, or name another one in ${variable}`;
  if (hasNoTls(error)) return `set up TLS on the server, or leave sslmode out of ${variable}`;
  return `is ${variable} right, and does the server run?`;
}

async function versionOf(client: Client): Promise<Finding> {
  const { rows } = await client.query<{ version: string; number: number; isReadOnly: boolean }>(
    `select split_part(current_setting('server_version'), ' ', 1) as version,
            current_setting('server_version_num')::int as number,
            current_setting('transaction_read_only')::bool as "isReadOnly"`,
  );
  const [{ version, number, isReadOnly } = { version: 'unknown', number: 0, isReadOnly: false }] = rows;
  const place = placeOf(client);
  if (number < OLDEST * 10_000) {
    return unwell(`${place}: version ${version} is too old: polykeep needs Postgres ${OLDEST} or later`);
  }
  if (isReadOnly) {
    return unwell(
      `${place}: is read only, a standby or set to default_transaction_read_only: name the primary`,
    );
  }
  return well(`${place}: version ${version}`);
}

async function rightsOf(client: Client): Promise<Finding> {
  const pending = await pendingMigrations(client);
  if (pending.length === 0)
    return tried('its tables', client.query(WRITE_PROBE), 'up to date, and may be written');
  const missing = await missingRight(client);
  if (missing !== null) return unwell(`Postgres: the rights of the role: ${missing}`);
  return well(
    `Postgres: the rights of the role: it may make the tables (migrations to come: ${pending.length})`,
  );
}

async function checkPooler(url: string): Promise<Finding> {
  const pool = new ArchivePool(url, { max: 1, isPooled: true });
  try {
    await pool.query('select');
    return well(`the pooler before it: ${placeOfUrl(url)}`);
  } catch (error) {
    return unwell(
      `the pooler before it: ${placeOfUrl(url)}: ${wordsOf(error)}: is DATABASE_URL right, and does the pooler run?`,
    );
  } finally {
    await pool.end();
  }
}

async function tried(what: string, work: Promise<unknown>, words: string): Promise<Finding> {
  return work.then(
    () => well(`Postgres: ${what}: ${words}`),
    (error: unknown) => unwell(`Postgres: ${what}: ${wordsOf(error)}`),
  );
}
