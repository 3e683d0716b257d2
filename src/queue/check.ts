import { Cluster, type Redis } from 'ioredis';
import { pino } from 'pino';
import { within } from '../clock.ts';
import { type Finding, unwell, well } from '../network/finding.ts';
import { redisPlaceOf, redisServersOf } from '../network/redis-url.ts';
import { wordsOf } from '../words.ts';
import { connectRedis, evictionPolicies, firstAttempt, isReady, type RedisConnection } from './redis.ts';
import { writeAsJobsDo } from './write-probe.ts';

const PATIENCE_MS = 6_000;
/** In one slot of a cluster; nothing is written to them but the first, which is gone a minute later. */
const KEYS = ['probe', 'wait', 'active', 'delayed', 'prioritized', 'meta'].map(
  (key) => `{polykeep-check}:${key}`,
);

/** Whether Redis is there, takes writes as calls need them, and keeps what it took. */
export async function checkRedis(url: string): Promise<Finding[]> {
  const place = redisPlaceOf(url);
  const silent = pino({ level: 'silent' });
  const redis = connectRedis(url, { enableOfflineQueue: false, maxRetriesPerRequest: 1 }, silent);
  let why: unknown = new Error(`no answer within ${PATIENCE_MS} ms`);
  redis.on('error', (error) => {
    why = error.lastNodeError ?? error;
  });
  try {
    await within(PATIENCE_MS, firstAttempt(redis));
    if (!isReady(redis)) return [unwell(`${place}: ${lineOf(why)}: ${adviceOn(why)}`)];
    const isCluster = redis instanceof Cluster;
    if (!isCluster && redisServersOf(url).kind === 'server' && (await isOfCluster(redis))) {
      return [
        unwell(`${place}: is one of a cluster: write REDIS_URL as redis-cluster://HOST:PORT,HOST:PORT`),
      ];
    }
    const writes = await checkWrites(redis, place);
    // A connection that refused a write may be made anew by now.
    return writes.isWell ? [writes, await checkEviction(redis)] : [writes];
  } catch (error) {
    return [unwell(`${place}: ${lineOf(error)}: ${adviceOn(error)}`)];
  } finally {
    redis.disconnect();
  }
}

/** What Redis, ioredis or OpenSSL says, and what to do about it. */
const ADVICE: readonly (readonly [says: RegExp, advice: string])[] = [
  [/sentinels.*NOAUTH/, 'add ?sentinelPassword=… to REDIS_URL'],
  [/NOAUTH|WRONGPASS|invalid (username|password)/, 'set the password of REDIS_URL right'],
  [/NOPERM/, 'give the user of REDIS_URL the right to it'],
  [/DB index/, 'name another database in REDIS_URL'],
  [/READONLY/, 'name the primary in REDIS_URL'],
  [/OOM|MISCONF/, 'give it memory (maxmemory) and room on its disk'],
  [/SSL routines/, 'does the port of REDIS_URL speak TLS? Without it, write redis:// and not rediss://'],
];

function adviceOn(error: unknown): string {
  const said = wordsOf(error);
  const found = ADVICE.find(([says]) => says.test(said));
  return found?.[1] ?? 'is REDIS_URL right, and does the server run?';
}

/** OpenSSL ends its own with a line break. */
function lineOf(error: unknown): string {
  return wordsOf(error).replace(/\s+/g, ' ').trim();
}

async function checkWrites(redis: RedisConnection, place: string): Promise<Finding> {
  try {
    await writeAsJobsDo(redis, KEYS);
    return well(`${place}: takes writes`);
  } catch (error) {
    return unwell(`${place}: takes no writes: ${lineOf(error)}: ${adviceOn(error)}`);
  }
}

async function checkEviction(redis: RedisConnection): Promise<Finding> {
  const evicting = (await evictionPolicies(redis)).filter((policy) => policy !== 'noeviction');
  return evicting.length === 0
    ? well('Redis: keeps what it has (noeviction)')
    : unwell(`Redis: may evict keys (${evicting.join(', ')}): set its maxmemory-policy to noeviction`);
}

async function isOfCluster(redis: Redis): Promise<boolean> {
  return /^cluster_enabled:1/m.test(await redis.info('cluster'));
}
