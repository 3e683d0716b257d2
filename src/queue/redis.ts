import { Redis } from 'ioredis';
import type { Logger } from 'pino';

/**
 * A connection that outlives Redis: it is made anew until it holds. Whether Redis is away is logged once per change of
 * state, and once per connection where it may throw away what it should keep.
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

/** Resolves when the first connection holds, or could not be made. */
export async function firstAttempt(redis: Redis): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const event of ['ready', 'close']) redis.once(event, resolve);
  });
}

export function isReady(redis: Redis | null): boolean {
  return redis?.status === 'ready';
}

/** A Redis that evicts keys when its memory is full forgets who is followed; the sweeper then has to find them. */
export async function warnOfEviction(redis: Redis, log: Logger): Promise<void> {
  const policy = /^maxmemory_policy:(\S+)/m.exec(await redis.info('memory'))?.[1];
  if (policy === undefined || policy === 'noeviction') return;
  log.warn({ policy }, 'Redis may evict keys: set its maxmemory-policy to noeviction');
}
