import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../../src/archive/embedded-postgres.ts';
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
  const dataDir = await mkdtemp(join(tmpdir(), 'polykeep-test-'));
  const [postgres, redis] = await Promise.all([
    startEmbeddedPostgres({ dataDir, log: () => {} }),
    startRedis(),
  ]);
  provide('postgresUrl', postgres.url);
  provide('redisUrl', redis.url);
  return async () => {
    await Promise.all([postgres.stop(), redis.stop()]);
    await rm(dataDir, { recursive: true, force: true });
  };
}
