import { redisChoice, WHAT_TO_DO } from './redis-choice.ts';
import { spawnRedisServer } from './redis-server.ts';

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
  const { GenericContainer } = await import('testcontainers');
  const container = await new GenericContainer('redis:8').withExposedPorts(6379).start();
  return {
    url: `redis://${container.getHost()}:${container.getMappedPort(6379)}`,
    stop: async () => void (await container.stop()),
  };
}
