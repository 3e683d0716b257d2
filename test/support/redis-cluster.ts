import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { expect } from 'vitest';
import { type RedisServer, spawnRedisServer } from './redis-server.ts';

const run = promisify(execFile);
/** A master that is silent for so long is replaced. */
const NODE_TIMEOUT_MS = 2_000;

export interface RedisCluster {
  url: string;
  /** The URLs of all servers. */
  servers: readonly string[];
  /** Kills the master that has keys, and waits until a replica has taken its place. Returns what starts it again. */
  killMaster(): Promise<() => Promise<void>>;
  stop(): Promise<void>;
}

/** Three masters with a replica each. */
export async function spawnRedisCluster(): Promise<RedisCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'polykeep-redis-cluster-'));
  const options = {
    'cluster-enabled': 'yes',
    'cluster-node-timeout': NODE_TIMEOUT_MS,
    'cluster-replica-validity-factor': 0,
  };

  async function start(port?: number): Promise<RedisServer> {
    const keepIn = port === undefined ? await mkdtemp(join(folder, 'node-')) : (folders.get(port) ?? folder);
    const server = await spawnRedisServer({ ...options, keepIn, ...(port === undefined ? {} : { port }) });
    folders.set(server.port, keepIn);
    return server;
  }

  const folders = new Map<number, string>();
  const servers = await Promise.all(Array.from({ length: 6 }, () => start()));
  const hosts = servers.map(({ port }) => `127.0.0.1:${port}`);
  await run('redis-cli', ['--cluster', 'create', ...hosts, '--cluster-replicas', '1', '--cluster-yes']);
  await Promise.all(servers.map(({ url }) => expect.poll(() => isWhole(url)).toBe(true)));

  return {
    url: `redis-cluster://${hosts.slice(0, 2).join(',')}`,
    servers: servers.map(({ url }) => url),
    async killMaster() {
      const keys = await Promise.all(servers.map(masterKeys));
      const at = keys.indexOf(Math.max(...keys));
      const [killed, witness] = [servers[at], servers[(at + 1) % servers.length]];
      if (killed === undefined || witness === undefined) throw new Error('no master has keys');
      await killed.kill();
      await expect.poll(() => hasReplaced(witness.url, killed.port)).toBe(true);
      return async () => {
        servers[at] = await start(killed.port);
        await expect.poll(() => isWhole(servers[at]?.url ?? '')).toBe(true);
      };
    },
    async stop() {
      await Promise.all(servers.map((server) => server.kill()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function asked(url: string, ...command: [string, ...string[]]): Promise<string> {
  const redis = new Redis(url);
  redis.on('error', () => {});
  try {
    return `${await redis.call(...command)}`;
  } finally {
    redis.disconnect();
  }
}

async function isWhole(url: string): Promise<boolean> {
  const info = await asked(url, 'CLUSTER', 'INFO');
  return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:6');
}

/** How many keys a master has; -1 of a replica. */
async function masterKeys({ url }: RedisServer): Promise<number> {
  const isMaster = (await asked(url, 'ROLE')).startsWith('master');
  return isMaster ? Number(await asked(url, 'DBSIZE')) : -1;
}

/** The master on this port has failed, and all slots have a master again. */
async function hasReplaced(url: string, port: number): Promise<boolean> {
  const nodes = (await asked(url, 'CLUSTER', 'NODES')).split('\n');
  const failed = nodes.find((node) => node.includes(`127.0.0.1:${port}@`));
  return (
    failed !== undefined && /\bfail\b/.test(failed) && !/\d+-\d+$/.test(failed.trim()) && (await isWhole(url))
  );
}
