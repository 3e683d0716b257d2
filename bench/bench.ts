import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { migrateDatabase } from '../src/archive/schema/migrations.ts';
import { startEmbeddedPostgres } from '../src/embedded-postgres/embedded-postgres.ts';
import { silentLog } from '../test/support/log.ts';
import { spawnRedisServer } from '../test/support/redis-server.ts';
import { query } from './query.ts';
import { startUpstream, type Upstream } from './upstream/upstream.ts';

/** What the parts run with: each thing is started for whoever first asks for it, and stopped at the end. */
export interface Bench {
  /** A smoke run: everything once, and short. Its numbers say nothing. */
  readonly quick: boolean;
  /** How often each thing is measured. */
  readonly rounds: number;
  /** Temporary, for a `DATA_DIR` and the like; a Postgres under it can be another user's. */
  readonly folder: string;
  /** Of the parts' shared Postgres server; its process has all backends as children. */
  postgres(): Promise<{ pid: number }>;
  /** An empty database of its own in it, with polykeep's schema unless told otherwise. */
  database(options?: { migrated?: boolean }): Promise<string>;
  /** Empties it where it runs already. */
  redis(): Promise<{ url: string; pid: number }>;
  /** The same, for what runs beside something else. */
  redisAsItIs(): Promise<{ url: string; pid: number }>;
  /** Plain HTTP/1.1, which answers at once. */
  upstream(): Promise<Upstream>;
  /** Called at the end, the last one first. */
  defer(stop: () => unknown): void;
  /** A line on how far it is, to standard error. */
  say(line: string): void;
}

/** The process of the Postgres whose files lie under an embedded `DATA_DIR`. */
export async function postmasterOf(dataDir: string): Promise<number> {
  return Number((await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0]);
}

export async function openBench({
  quick,
  rounds,
}: {
  quick: boolean;
  rounds: number;
}): Promise<Bench & AsyncDisposable> {
  const running = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'polykeep-bench-'));
  running.defer(() => rm(folder, { recursive: true, force: true }));
  // Its Postgres is another user's where we are root.
  await chmod(folder, 0o755);

  const postgres = once(async () => {
    const dataDir = join(folder, 'postgres-shared');
    const server = await startEmbeddedPostgres({ dataDir, log: () => {} });
    running.defer(() => server.stop());
    return { url: server.url, pid: await postmasterOf(dataDir) };
  });
  const redis = once(async () => {
    const server = await spawnRedisServer();
    running.defer(() => server.stop());
    return server;
  });
  const upstream = once(async () => {
    const started = await startUpstream({ tls: null, latencyMs: 0 });
    running.defer(() => started.stop());
    return started;
  });

  async function redisAsItIs() {
    const { url, process } = await redis();
    return { url, pid: process.pid ?? 0 };
  }

  return {
    quick,
    rounds,
    folder,
    postgres,
    async database({ migrated = true } = {}) {
      const server = await postgres();
      const name = `bench_${randomUUID().replaceAll('-', '')}`;
      await query(server.url, `create database ${name}`);
      const url = Object.assign(new URL(server.url), { pathname: name }).href;
      if (migrated) await migrateDatabase(url, silentLog);
      return url;
    },
    async redis() {
      const server = await redisAsItIs();
      const client = new Redis(server.url);
      await client.flushall();
      client.disconnect();
      return server;
    },
    redisAsItIs,
    upstream,
    defer: (stop) => running.defer(async () => void (await stop())),
    say: (line) => console.error(line),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function once<T>(start: () => Promise<T>): () => Promise<T> {
  let started: Promise<T> | null = null;
  return () => {
    started ??= start();
    return started;
  };
}
