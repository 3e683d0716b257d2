import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { TestProject } from 'vitest/node';
import { migrateDatabase } from '../../src/archive/schema/migrations.ts';
import { startEmbeddedPostgres } from '../../src/embedded-postgres/embedded-postgres.ts';
import { TEMPLATE } from './database.ts';
import { sweepDeadRuns } from './dead-runs.ts';
import { silentLog } from './log.ts';
import { startRedis } from './redis.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A server of the test run; each file makes a database of its own in it (`createDatabase`). */
    postgresUrl: string;
    /** A server of the test run; each queue uses a prefix of its own in it. */
    redisUrl: string;
  }
}

/** One real Postgres and one real Redis for the run, whichever files it has. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  await sweepDeadRuns(tmpdir(), 'polykeep-test-');
  // What was started is stopped again also where the other does not start.
  await using starting = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), 'polykeep-test-'));
  starting.defer(() => rm(dataDir, { recursive: true, force: true }));
  const postgres = await startEmbeddedPostgres({ dataDir, log: () => {} });
  starting.defer(() => postgres.stop());
  await prepare(postgres.url);
  const redis = await startRedis();
  starting.defer(() => redis.stop());
  provide('postgresUrl', postgres.url);
  provide('redisUrl', redis.url);
  const running = starting.move();
  return () => running.disposeAsync();
}

/** Makes the template of the databases. What the run leaves on disk is of use to nobody: nothing waits for the disk. */
async function prepare(server: string): Promise<void> {
  const client = new Client({ connectionString: server });
  await client.connect();
  try {
    for (const name of ['fsync', 'full_page_writes']) await client.query(`alter system set ${name} = off`);
    await client.query('select pg_reload_conf()');
    await client.query(`create database ${TEMPLATE}`);
  } finally {
    await client.end();
  }
  await migrateDatabase(Object.assign(new URL(server), { pathname: TEMPLATE }).href, silentLog);
}
