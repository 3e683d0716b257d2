import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { redisChoice, WHAT_TO_DO } from './redis-choice.ts';
import { spawnRedisServer } from './redis-server.ts';

const run = promisify(execFile);
const LOOPBACK = '127.0.0.1';
/** Attempts to reach a Redis that starts, ten a second. */
const TRIES = 300;

/** One Redis for the run. That of REDIS_URL may be somebody's: tests touch nothing but keys of their own prefix. */
export async function startRedis(): Promise<{ url: string; stop(): Promise<void> }> {
  switch (await redisChoice()) {
    case 'url':
      return { url: process.env.REDIS_URL ?? '', stop: async () => {} };
    case 'path':
      return spawnRedisServer();
    case 'docker':
      return redisContainer();
    case 'none':
      throw new Error(WHAT_TO_DO);
  }
}

async function redisContainer(): Promise<{ url: string; stop(): Promise<void> }> {
  const host = dockerHost();
  // An engine on this machine publishes the port to this machine alone.
  const published = host === LOOPBACK ? `${LOOPBACK}::6379` : '6379';
  const container = await docker('run', '--rm', '--detach', '--publish', published, 'redis:8');
  const stop = async () => void (await docker('stop', container));
  try {
    const [port] = /\d+$/m.exec(await docker('port', container, '6379/tcp')) ?? [];
    const url = `redis://${host}:${port}`;
    await untilItAnswers(url);
    return { url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Where the containers of the engine publish their ports. */
function dockerHost(): string {
  const { protocol, hostname } = new URL(process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock');
  return protocol === 'unix:' ? LOOPBACK : hostname;
}

async function docker(...args: string[]): Promise<string> {
  return (await run('docker', args)).stdout.trim();
}

async function untilItAnswers(url: string): Promise<void> {
  const redis = new Redis(url, { retryStrategy: () => 100, maxRetriesPerRequest: TRIES });
  redis.on('error', () => {});
  await redis.ping().finally(() => redis.disconnect());
}
