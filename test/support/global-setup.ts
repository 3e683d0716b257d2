import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../../src/embedded-postgres/embedded-postgres.ts';
import { sweepDeadRuns } from './dead-runs.ts';
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
  const redis = await startRedis();
  starting.defer(() => redis.stop());
  provide('postgresUrl', postgres.url);
  provide('redisUrl', redis.url);
  const running = starting.move();
  return () => running.disposeAsync();
}
