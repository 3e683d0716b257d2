import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect } from 'vitest';
import { freePort } from './free-port.ts';
import { spawnRedisServer } from './redis-server.ts';

export interface RedisSentinels {
  url: string;
  /** Of the server that is the master now. */
  masterUrl(): Promise<string>;
  /** Kills it, and waits until the sentinels have made the replica the master. */
  killMaster(): Promise<void>;
  stop(): Promise<void>;
}

const MASTER = 'calls';

/** A master, a replica, and three sentinels. Servers and sentinels each have a password where they are given one. */
export async function spawnRedisSentinels({
  password = '',
  sentinelPassword = '',
} = {}): Promise<RedisSentinels> {
  await using starting = new AsyncDisposableStack();
  const login = password === '' ? {} : { requirepass: password, masterauth: password };
  const master = await spawnRedisServer(login);
  starting.defer(() => master.kill());
  const replica = await spawnRedisServer({ ...login, replicaof: `127.0.0.1 ${master.port}` });
  starting.defer(() => replica.kill());
  const servers = [master, replica];
  await expect.poll(() => asked(replica.url, password, 'ROLE')).toContain('connected');
  const sentinels = await Promise.all(
    Array.from({ length: 3 }, () => startSentinel(master.port, { password, sentinelPassword })),
  );
  for (const sentinel of sentinels) starting.defer(() => sentinel.stop());
  const [witness = master] = sentinels;
  // Of each other and of the replica: before that nobody is voted for.
  for (const { url } of sentinels) {
    await expect.poll(() => asked(url, sentinelPassword, 'SENTINEL', 'CKQUORUM', MASTER)).toContain('OK 3');
    await expect
      .poll(() => asked(url, sentinelPassword, 'SENTINEL', 'REPLICAS', MASTER))
      .toContain(`${replica.port}`);
  }

  async function masterUrl(): Promise<string> {
    const [, port] = (
      await asked(witness.url, sentinelPassword, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER)
    ).split(',');
    return `redis://127.0.0.1:${port}`;
  }

  const running = starting.move();
  const before = password === '' ? '' : `:${encodeURIComponent(password)}@`;
  const after = sentinelPassword === '' ? '' : `?sentinelPassword=${encodeURIComponent(sentinelPassword)}`;
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
  return {
    url: `redis-sentinel://${before}${hosts}/${MASTER}${after}`,
    masterUrl,
    async killMaster() {
      const url = await masterUrl();
      await servers.find((server) => server.url === url)?.kill();
      await expect.poll(masterUrl).not.toBe(url);
    },
    stop: () => running.disposeAsync(),
  };
}

async function startSentinel(
  masterPort: number,
  { password, sentinelPassword }: Record<'password' | 'sentinelPassword', string>,
) {
  const folder = await mkdtemp(join(tmpdir(), 'polykeep-sentinel-'));
  const port = await freePort();
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    ...(sentinelPassword === '' ? [] : [`requirepass ${sentinelPassword}`]),
    `sentinel monitor ${MASTER} 127.0.0.1 ${masterPort} 2`,
    ...(password === '' ? [] : [`sentinel auth-pass ${MASTER} ${password}`]),
    `sentinel down-after-milliseconds ${MASTER} 1000`,
    `sentinel failover-timeout ${MASTER} 5000`,
  ];
  const file = join(folder, 'sentinel.conf');
  await writeFile(file, `${lines.join('\n')}\n`);
  const sentinel = spawn('redis-server', [file, '--sentinel'], { stdio: 'ignore' });
  const ended = once(sentinel, 'exit');
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    async stop() {
      sentinel.kill('SIGKILL');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function asked(url: string, password: string, ...command: [string, ...string[]]): Promise<string> {
  const redis = new Redis(url, { retryStrategy: () => 100, ...(password === '' ? {} : { password }) });
  redis.on('error', () => {});
  try {
    return `${await redis.call(...command)}`;
  } catch (error) {
    return `${error}`;
  } finally {
    redis.disconnect();
  }
}
