import { chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openDatabase } from '../../src/archive/database.ts';
import { withClient } from '../../src/archive/postgres-client.ts';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../src/embedded-postgres/embedded-postgres.ts';
import { makeCertificate } from '../support/certificate.ts';
import { runPolykeep } from '../support/command-line.ts';
import { silentLog as log } from '../support/log.ts';

/** A Postgres whose certificate is for 127.0.0.1, by an authority that Node does not know. */

let folder: string;
let postgres: EmbeddedPostgres;
let authority: string;
let anotherAuthority: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'polykeep-postgres-tls-'));
  postgres = await startEmbeddedPostgres({ dataDir: folder, log: () => {} });
  const { key, cert } = await makeCertificate();
  const { uid, gid } = await stat(join(folder, 'postgres'));
  authority = join(folder, 'authority.pem');
  anotherAuthority = join(folder, 'another.pem');
  const keyFile = join(folder, 'key.pem');
  await writeFile(authority, cert);
  await writeFile(anotherAuthority, (await makeCertificate()).cert);
  await writeFile(keyFile, key, { mode: 0o600 });
  await chown(keyFile, uid, gid);
  await withClient(postgres.url, 'test', async (client) => {
    await client.query(`alter system set ssl_cert_file = '${authority}'`);
    await client.query(`alter system set ssl_key_file = '${keyFile}'`);
    await client.query(`alter system set ssl = on`);
    await client.query('select pg_reload_conf()');
  });
  await vi.waitUntil(() => isEncrypted('sslmode=require').catch(() => false), { timeout: 60_000 });
});

afterAll(async () => {
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
});

function urlWith(parameters: string, host = '127.0.0.1'): string {
  return `${Object.assign(new URL(postgres.url), { hostname: host }).href}?${parameters}`;
}

/** By a connection of its own, and by one of a pool. */
async function isEncrypted(parameters: string, host?: string): Promise<boolean | undefined> {
  const question = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()';
  const url = urlWith(parameters, host);
  const own = await withClient(url, 'test', (client) => client.query<{ ssl: boolean }>(question));
  const database = openDatabase(url, log, { max: 1 });
  try {
    const pooled = await database.pool.query<{ ssl: boolean }>(question);
    expect(pooled.rows).toEqual(own.rows);
  } finally {
    await database.close();
  }
  return own.rows[0]?.ssl;
}

describe('sslmode means what libpq means by it:', () => {
  it.each([
    ['disable', () => 'sslmode=disable', false],
    ['nothing said', () => 'application_name=test', false],
    ['require asks for no certificate', () => 'sslmode=require', true],
    ['verify-ca', () => `sslmode=verify-ca&sslrootcert=${authority}`, true],
    ['verify-full', () => `sslmode=verify-full&sslrootcert=${authority}`, true],
  ])('%s', async (_, parameters, encrypted) => {
    expect(await isEncrypted(parameters())).toBe(encrypted);
  });

  it('verify-ca does not look at the host, and verify-full does', async () => {
    expect(await isEncrypted(`sslmode=verify-ca&sslrootcert=${authority}`, 'localhost')).toBe(true);
    const full = isEncrypted(`sslmode=verify-full&sslrootcert=${authority}`, 'localhost');
    await expect(full).rejects.toThrow(/does not match certificate/);
  });

  it.each([
    ['verify-full by the authorities of Node', () => 'sslmode=verify-full'],
    ['verify-ca by another authority', () => `sslmode=verify-ca&sslrootcert=${anotherAuthority}`],
    [
      'require, which with an authority is verify-ca',
      () => `sslmode=require&sslrootcert=${anotherAuthority}`,
    ],
  ])('%s refuses the server', async (_, parameters) => {
    await expect(isEncrypted(parameters())).rejects.toThrow(/self-signed|unable to verify|signature/);
  });
});

it('an authority of NODE_EXTRA_CA_CERTS is one of Node', async () => {
  const environment = { DATABASE_URL: urlWith('sslmode=verify-full'), DATA_DIR: folder };
  expect(await runPolykeep(['migrate'], environment)).toMatchObject({ code: 1 });
  const trusting = { ...environment, NODE_EXTRA_CA_CERTS: authority };
  expect(await runPolykeep(['migrate'], trusting)).toMatchObject({ code: 0, stderr: '' });
});
