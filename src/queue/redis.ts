import { createRequire } from 'node:module';
import { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import { type RedisServers, redisServersOf } from '../network/redis-url.ts';

// OpenTelemetry hooks into what is required, and only a loader of its own sees what is imported. The module is the same.
createRequire(import.meta.url)('ioredis');

/** To one server, to the master that sentinels name, or to the masters of a cluster. */
export type RedisConnection = Redis | Cluster;

interface ConnectionOptions {
  enableOfflineQueue?: boolean;
  maxRetriesPerRequest: number | null;
  /**
   * For how long Redis may owe an answer, in milliseconds. A command is rejected after that; where Redis was silent
   * altogether, the connection is made anew.
   */
  patienceMs?: number;
}

/** What is the same for one server and for each server of several. */
interface EachServer {
  maxRetriesPerRequest: number | null;
  connectTimeout: number;
  socketTimeout: number;
  commandTimeout: number;
  reconnectOnError: (error: Error) => boolean;
}

const CONNECT_WITHIN_MS = 5_000;
const PATIENCE_MS = 5_000;
const RECONNECT_EVERY_MS = 1_000;
/** A cluster tells of a new master only where it is asked for a key. */
const LOOK_AT_CLUSTER_EVERY_MS = 5_000;
/**
 * What Redis says on a connection that another connection may do better than: the server became a replica (another one
 * has its address by now), or knows us no more. Inside a script Redis 6 puts words before it.
 */
const WRONG_SERVER = /\b(READONLY|MASTERDOWN|UNBLOCKED|NOAUTH)\b/;

/**
 * A connection that is made anew whenever it is lost, or of no use, until it holds. Every command on it ends. `url` is
 * any that `redisServersOf` reads.
 */
export function connectRedis(
  url: string,
  { patienceMs = PATIENCE_MS, enableOfflineQueue = true, maxRetriesPerRequest }: ConnectionOptions,
  log: Logger,
): RedisConnection {
  const options = {
    maxRetriesPerRequest,
    connectTimeout: CONNECT_WITHIN_MS,
    socketTimeout: patienceMs,
    commandTimeout: patienceMs,
    reconnectOnError: whereOfUse(),
  };
  const redis = open(redisServersOf(url), options, enableOfflineQueue);
  redis.on('error', (error: Error) => log.debug({ err: error }, 'connection to Redis failed'));
  return redis;
}

function open(servers: RedisServers, options: EachServer, enableOfflineQueue: boolean): RedisConnection {
  const one = { ...options, enableOfflineQueue, retryStrategy: retryAfterMs };
  switch (servers.kind) {
    case 'server':
      return new Redis(servers.url, one);
    case 'sentinel':
      return new Redis({ ...one, ...bySentinels(servers) });
    case 'cluster':
      return new Cluster([...servers.nodes], {
        enableOfflineQueue,
        clusterRetryStrategy: retryAfterMs,
        slotsRefreshInterval: LOOK_AT_CLUSTER_EVERY_MS,
        redisOptions: { ...options, ...servers.login, ...(servers.isTls ? { tls: {} } : {}) },
        // A certificate is for a name, and not for the address that it stands for.
        ...(servers.isTls ? { dnsLookup: asItIs } : {}),
      });
  }
}

function bySentinels({
  sentinels,
  master,
  db,
  login,
  sentinelPassword,
  isTls,
}: Extract<RedisServers, { kind: 'sentinel' }>) {
  return {
    sentinels: [...sentinels],
    name: master,
    db,
    ...login,
    ...(sentinelPassword === null ? {} : { sentinelPassword }),
    ...(isTls ? { tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true } : {}),
    sentinelRetryStrategy: retryAfterMs,
    sentinelCommandTimeout: CONNECT_WITHIN_MS,
  };
}

function retryAfterMs(times: number): number {
  return Math.min(times * 100, 2_000);
}

function asItIs(host: string, done: (error: null, address: string) => void): void {
  done(null, host);
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
export async function firstAttempt(redis: RedisConnection): Promise<void> {
  await new Promise<void>((resolve) => {
    const ended = () => {
      for (const event of ['ready', 'error']) redis.off(event, ended);
      resolve();
    };
    for (const event of ['ready', 'error']) redis.on(event, ended);
  });
}

export function isReady(redis: RedisConnection | null): boolean {
  return redis?.status === 'ready';
}

/** Warns of a Redis that evicts keys when its memory is full: the sweeper then has to find the calls it forgot. */
export async function warnOfEviction(redis: RedisConnection, log: Logger): Promise<void> {
  for (const policy of await evictionPolicies(redis)) {
    if (policy === 'noeviction') continue;
    log.warn({ policy }, 'Redis may evict keys: set its maxmemory-policy to noeviction');
  }
}

/** What each of its servers does when its memory is full, each once; some hosts of Redis do not tell. */
export async function evictionPolicies(redis: RedisConnection): Promise<string[]> {
  const masters = redis instanceof Cluster ? redis.nodes('master') : [redis];
  const policies = await Promise.all(masters.map(policyOf));
  return [...new Set(policies)].filter((policy) => policy !== undefined);
}

async function policyOf(redis: Redis): Promise<string | undefined> {
  return /^maxmemory_policy:(\S+)/m.exec(await redis.info('memory'))?.[1];
}
