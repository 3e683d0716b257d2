import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { cpus, release, totalmem } from 'node:os';
import { Client } from 'pg';

/** Where and of what numbers are: they compare with those of the same machine and versions alone. */
export interface Machine {
  cpu: string;
  cores: number;
  memoryGb: number;
  kernel: string;
  versions: Record<string, string>;
  commit: string;
  at: string;
}

const LIBRARIES = ['undici', 'bullmq', 'ioredis', 'pg', 'fastify', 'graphile-worker', 'pg-boss'];

export async function describeMachine(databaseUrl: string): Promise<Machine> {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    versions: {
      Node: process.version.slice(1),
      Postgres: await postgresVersion(databaseUrl),
      Redis: /v=(\S+)/.exec(output('redis-server', '--version'))?.[1] ?? 'unknown',
      ...Object.fromEntries(LIBRARIES.map((name) => [name, versionOf(name)])),
    },
    commit: commitOf(),
    at: new Date().toISOString(),
  };
}

/** The results of the run before are a change that does not count. */
function commitOf(): string {
  const changed = output(
    'git',
    'status',
    '--porcelain',
    '-uno',
    '--',
    '.',
    ':!bench/RESULTS.md',
    ':!bench/results*',
  );
  return output('git', 'rev-parse', '--short=12', 'HEAD') + (changed === '' ? '' : '-dirty');
}

async function postgresVersion(url: string): Promise<string> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ server_version: string }>('show server_version');
  await client.end();
  return rows[0]?.server_version ?? 'unknown';
}

function versionOf(library: string): string {
  const require = createRequire(import.meta.url);
  const { dependencies } = require('../package.json');
  return { ...dependencies, ...require('./package.json').dependencies }[library];
}

function output(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8' }).trim();
}
