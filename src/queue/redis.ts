import { Redis } from 'ioredis';
import type { Logger } from 'pino';

interface ConnectionOptions {
  enableOfflineQueue?: boolean;
  maxRetriesPerRequest: number | null;
  /**
   * For how long Redis may owe an answer, in milliseconds. A command is rejected after that; where Redis was silent
   * altogether, the connection is made anew.
   */
  patienceMs?: number;
}

const CONNECT_WITHIN_MS = 5_000;
const PATIENCE_MS = 5_000;
const RECONNECT_EVERY_MS = 1_000;
/**
 * What Redis says on a connection that another connection may do better than: the server became a replica (another one
 * has its address by now), or knows us no more. Inside a script Redis 6 puts words before it.
 */
const WRONG_SERVER = /\b(READONLY|MASTERDOWN|UNBLOCKED|NOAUTH)\b/;

/** A connection that is made anew whenever it is lost, or of no use, until it holds. Every command on it ends. */
export function connectRedis(
  url: string,
  { patienceMs = PATIENCE_MS, ...options }: ConnectionOptions,
  log: Logger,
): Redis {
  const redis = new Redis(url, {
    ...options,
    connectTimeout: CONNECT_WITHIN_MS,
    socketTimeout: patienceMs,
    commandTimeout: patienceMs,
    retryStrategy: (times) => Math.min(times * 100, 2_000),
    reconnectOnError: whereOfUse(),
  });
  redis.on('error', (error) => log.debug({ err: error }, 'connection to Redis failed'));
  return redis;
}

/** BullMQ's blocking connection has the options of the worker's, and so this function: it has its turn a second later. */
function whereOfUse(): (error: Error) => boolean {
  let lastAt = Number.NEGATIVE_INFINITY;
  return ({ message }) => {
    if (!WRONG_SERVER.test(message) || performance.now() - lastAt < RECONNECT_EVERY_MS) return false;
    lastAt = performance.now();
    return true;
  };
}

/** Resolves when a connection is made, at the first or the next attempt, or when that has failed. */
export async function firstAttempt(redis: Redis): Promise<void> {
  await new Promise<void>((resolve) => {
    const ended = () => {
      for (const event of ['ready', 'error']) redis.off(event, ended);
      resolve();
    };
    for (const event of ['ready', 'error']) redis.on(event, ended);
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
