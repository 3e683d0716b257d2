import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { NEVER_CUT, type RateReport } from '../../src/accounts/rate.ts';
import { createRateExchange } from '../../src/accounts/rate-exchange.ts';
import { createRateLimit, type RateLimit } from '../../src/accounts/rate-limit.ts';
import type { RateExchange } from '../../src/accounts/rate-sharing.ts';
import { systemClock } from '../../src/clock.ts';
import { connectRedis, firstAttempt, type RedisConnection } from '../../src/queue/redis.ts';
import { silentLog as log } from '../support/log.ts';
import { type TcpProxy, tcpProxy } from '../support/tcp-proxy.ts';

const TICK_MS = 50;

let prefix: string;
let running: { redis: RedisConnection; limits: RateLimit[]; proxies: TcpProxy[] };

beforeEach(async () => {
  prefix = `test-${randomUUID()}`;
  running = { redis: await connected(inject('redisUrl')), limits: [], proxies: [] };
});

afterEach(async () => {
  for (const limit of running.limits) limit.stop();
  running.redis.disconnect();
  await Promise.all(running.proxies.map((proxy) => proxy.close()));
});

async function connected(url: string): Promise<RedisConnection> {
  const redis = connectRedis(url, { enableOfflineQueue: false, maxRetriesPerRequest: 1 }, log);
  await firstAttempt(redis);
  return redis;
}

const close = (a: number, b: number) => Math.abs(a / b - 1) < 0.05;

describe('two processes', () => {
  let failed = 0;

  /** As another process: it sees for itself who is alive. */
  function limit(redis: RedisConnection, max: number | null): RateLimit {
    const reports = createRateExchange({ redis, prefix });
    const exchange: RateExchange = {
      exchange: (account, report) =>
        reports.exchange(account, report).catch((error: unknown) => {
          failed++;
          throw error;
        }),
    };
    const limit = createRateLimit({
      account: 'acme',
      max,
      exchange,
      clock: systemClock,
      log,
      tickMs: TICK_MS,
    });
    running.limits.push(limit);
    return limit;
  }

  function callers(count: number, limit: RateLimit): void {
    const { signal } = new AbortController();
    const poll = async () => {
      while (await limit.slot(systemClock.monotonic(), Number.POSITIVE_INFINITY, signal)) {
        limit.accepted(systemClock.monotonic());
      }
    };
    for (let n = 0; n < count; n++) void poll();
  }

  it('share one rate as their calls are', async () => {
    const [a, b] = [limit(running.redis, 80), limit(running.redis, 80)];
    callers(300, a);
    callers(100, b);
    await expect.poll(() => close(a.share + b.share, 80) && close(a.share / b.share, 3)).toBe(true);
    expect([a.rate, b.rate]).toEqual([80, 80]);
  });

  it('are both slowed where one is answered 429, and grow back', async () => {
    const [a, b] = [limit(running.redis, 80), limit(running.redis, 80)];
    callers(300, a);
    callers(100, b);
    await expect.poll(() => close(a.share + b.share, 80)).toBe(true);
    b.tooMany(null, systemClock.monotonic());
    expect(b.rate).toBeLessThanOrEqual(72);
    await expect.poll(() => a.rate).toBeLessThan(75);
    const slowed = a.rate;
    await expect.poll(() => Math.min(a.rate, b.rate)).toBeGreaterThan(slowed);
  });

  it('keep their shares while Redis is away', async () => {
    const proxy = await tcpProxy(inject('redisUrl'));
    running.proxies.push(proxy);
    const far = await connected(proxy.url);
    try {
      const [a, b] = [limit(running.redis, 80), limit(far, 80)];
      callers(300, a);
      callers(100, b);
      await expect.poll(() => close(b.share, 20)).toBe(true);
      await proxy.cut();
      await expect.poll(() => far.status).not.toBe('ready');
      const { share } = b;
      callers(200, b);
      failed = 0;
      await expect.poll(() => failed).toBeGreaterThan(10);
      expect(b.share).toBe(share);
      await proxy.mend();
      await expect.poll(() => close(b.share, 40)).toBe(true);
    } finally {
      far.disconnect();
    }
  });
});

describe('the exchange', () => {
  let at: number;
  const report = (process: string, seq: number, more: Partial<RateReport> = {}): RateReport => ({
    ...{ process, seq, waiting: 1, asked: 2, accepted: 1.5, holdMs: 5.5 },
    ...{ cuts: 4, good: 3.5, low: 3.2, backMs: 29_285.7, grownMs: 250.5 },
    ...more,
  });
  const key = () => `${prefix}:rate:acme`;

  function exchange() {
    at = 0;
    return createRateExchange({ redis: running.redis, prefix, clock: { monotonic: () => at } });
  }

  it('brings what the others last reported on this account', async () => {
    const [a, b] = [exchange(), exchange()];
    const open = { ...NEVER_CUT, grownMs: null, accepted: null };
    expect(await a.exchange('acme', report('a', 1))).toEqual([]);
    expect(await b.exchange('acme', report('b', 1, open))).toEqual([report('a', 1)]);
    expect(await a.exchange('acme', report('a', 2))).toEqual([report('b', 1, open)]);
    expect(await b.exchange('other', report('b', 2))).toEqual([]);
    expect(await b.exchange('acme', report('b', 3))).toEqual([report('a', 2)]);
  });

  it('leaves out who has not reported for five seconds, and has him back when he does', async () => {
    const [a, b] = [exchange(), exchange()];
    await b.exchange('acme', report('b', 1));
    expect(await a.exchange('acme', report('a', 1))).toHaveLength(1);
    at = 4_999;
    expect(await a.exchange('acme', report('a', 2))).toHaveLength(1);
    at = 5_000;
    expect(await a.exchange('acme', report('a', 3))).toEqual([]);
    await b.exchange('acme', report('b', 2));
    expect(await a.exchange('acme', report('a', 4))).toEqual([report('b', 2)]);
  });

  it('removes what has not changed for a minute, and lets Redis remove the rest', async () => {
    const [a, b] = [exchange(), exchange()];
    await b.exchange('acme', report('b', 1));
    await running.redis.hset(key(), 'junk', '?');
    await a.exchange('acme', report('a', 1));
    at = 59_999;
    await a.exchange('acme', report('a', 2));
    expect((await running.redis.hkeys(key())).sort()).toEqual(['a', 'b', 'junk']);
    at = 60_000;
    await a.exchange('acme', report('a', 3));
    expect(await running.redis.hkeys(key())).toEqual(['a']);
    const ttl = await running.redis.pttl(key());
    expect(ttl).toBeGreaterThan(50_000);
    expect(ttl).toBeLessThanOrEqual(60_000);
    await b.exchange('acme', report('b', 2));
    expect(await a.exchange('acme', report('a', 4))).toEqual([report('b', 2)]);
  });

  it.each([
    '',
    '{',
    'null',
    '[]',
    '{}',
    JSON.stringify(report('x', 1, { waiting: -1 })),
    JSON.stringify(report('x', 1, { good: 0 })),
    JSON.stringify({ ...report('x', 1), low: '5' }),
    JSON.stringify({ ...report('x', 1), accepted: undefined }),
  ])('ignores what is no report: %s', async (text) => {
    await running.redis.hset(key(), 'x', text);
    const a = exchange();
    await exchange().exchange('acme', report('b', 1));
    expect(await a.exchange('acme', report('a', 1))).toEqual([report('b', 1)]);
  });

  it('fails where Redis does: at once while it is away, and where it refuses', async () => {
    await running.redis.set(key(), 'of another type');
    const a = exchange();
    await expect(a.exchange('acme', report('a', 1))).rejects.toThrow('WRONGTYPE');
    running.redis.disconnect();
    await expect(a.exchange('acme', report('a', 2))).rejects.toThrow();
  });
});
