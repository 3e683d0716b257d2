import { Redis } from 'ioredis';
import type { Logger } from 'pino';

/**
 * A connection that is made anew whenever it is lost, until it holds. It logs once when Redis goes away, and once when
 * Redis is back.
 */
export function connectRedis(
  url: string,
  options: { enableOfflineQueue?: boolean; maxRetriesPerRequest: number | null },
  log: Logger,
): Redis {
  const redis = new Redis(url, { ...options, retryStrategy: (times) => Math.min(times * 100, 2_000) });
  let away = false;
  redis.on('error', (error) => {
    if (!away) log.warn({ err: error }, 'Redis is away');
    away = true;
  });
  redis.on('ready', () => {
    if (away) log.info('Redis is back');
    away = false;
  });
  return redis;
}

/** Resolves when the first connection is made, or has failed. */
export async function firstAttempt(redis: Redis): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const event of ['ready', 'close']) redis.once(event, resolve);
  });
}

export function isReady(redis: Redis | null): boolean {
  return redis?.status === 'ready';
}

/** Warns of a Redis that evicts keys when its memory is full: the sweeper then has to find the calls it forgot. */
export async function warnOfEviction(redis: Redis, log: Logger): Promise<void> {
  const policy = /^maxmemory_policy:(\S+)/m.exec(await redis.info('memory'))?.[1];
  if (policy === undefined || policy === 'noeviction') return;
  log.warn({ policy }, 'Redis may evict keys: set its maxmemory-policy to noeviction');
}
