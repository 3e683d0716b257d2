import { randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type { Follow, HandedOn } from '../../src/follow/lease.ts';
import { createBullmqQueue } from '../../src/queue/bullmq.ts';
import type { CallQueue } from '../../src/queue/call-queue.ts';
import { holding, untilAborted } from '../support/holding.ts';
import { silentLog } from '../support/log.ts';
import { isOnPath } from '../support/redis-choice.ts';
import { spawnRedisServer } from '../support/redis-server.ts';
import { type TcpProxy, tcpProxy } from '../support/tcp-proxy.ts';

/** What BullMQ and Redis may do to a call, and what must not become of it. */

const HANDED_ON: HandedOn = { dueInMs: 0, streak: null, changedAfter: null, sinceAskedMs: null };
/** Each call has so many leases at most until a worker that joins holds its share. */
const LEASES = 30;
const LEASES_AT_ONCE = 10;
const KEYS = ['wait', 'active', 'delayed', 'failed', 'completed', 'prioritized', 'paused'];

let redis: Redis;
let prefix: string;
let open: CallQueue[];
let proxies: TcpProxy[];

beforeEach(() => {
  redis = new Redis(inject('redisUrl'));
  prefix = `test-${randomUUID()}`;
  open = [];
  proxies = [];
});

afterEach(async () => {
  await Promise.all(open.map((queue) => queue.close()));
  await Promise.all(proxies.map((proxy) => proxy.close()));
  redis.disconnect();
});

function bullmq({ redisUrl = inject('redisUrl'), concurrency = 1_000, log = silentLog } = {}): CallQueue {
  const queue = createBullmqQueue({ redisUrl, prefix, concurrency, yieldAfterMs: 60_000, log });
  open.push(queue);
  return queue;
}

const key = (name: string) => `${prefix}:calls:${name}`;

/** Where in the queue the call's job is. */
async function places(callSid: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of KEYS) {
    const isList = ['wait', 'active', 'paused'].includes(name);
    const members = isList ? await redis.lrange(key(name), 0, -1) : await redis.zrange(key(name), '0', '-1');
    if (members.includes(callSid)) found.push(name);
  }
  return found;
}

describe('a job that BullMQ holds but does not deliver', () => {
  // There is no worker yet, so that each job stays where it was put by hand.
  it.each([
    [
      'left in delayed past its time, with no marker',
      async () => {
        await redis.lrem(key('wait'), 0, 'stuck');
        await redis.zadd(key('delayed'), `${(Date.now() - 60_000) * 0x1000}`, 'stuck');
        await redis.del(key('marker'));
      },
    ],
    [
      'left in delayed for a year, as by a clock that was set back',
      async () => {
        await redis.lrem(key('wait'), 0, 'stuck');
        await redis.zadd(key('delayed'), `${(Date.now() + 365 * 86_400_000) * 0x1000}`, 'stuck');
      },
    ],
    [
      'left in active without a lock, and unknown to the stalled check',
      async () => {
        await redis.lrem(key('wait'), 0, 'stuck');
        await redis.lpush(key('active'), 'stuck');
      },
    ],
    [
      'left in failed',
      async () => {
        await redis.lrem(key('wait'), 0, 'stuck');
        await redis.zadd(key('failed'), `${Date.now()}`, 'stuck');
        await redis.hset(key('stuck'), { failedReason: 'job stalled more than allowable limit' });
      },
    ],
    ['left without a place', () => redis.lrem(key('wait'), 0, 'stuck')],
  ])('%s, is followed again when it is requeued', async (_, mislay) => {
    const queue = bullmq();
    await queue.enqueue(['stuck']);
    await mislay();
    await queue.enqueue(['stuck']);
    expect(await places('stuck')).not.toContain('wait');

    await queue.requeue(['stuck']);
    expect(await places('stuck')).toEqual(['wait']);
    const { held, follow } = holding(HANDED_ON);
    await queue.work(follow);
    await expect.poll(() => held.has('stuck')).toBe(true);
  });

  it('is not disturbed by a requeue while a live lock says that it is followed', async () => {
    const queue = bullmq();
    const { held, taken, follow } = holding(HANDED_ON);
    await queue.work(follow);
    await queue.enqueue(['followed']);
    await expect.poll(() => held.has('followed')).toBe(true);
    await queue.requeue(['followed', 'new']);
    await expect.poll(() => held.has('new')).toBe(true);
    expect(taken).toEqual(['followed', 'new']);
  });
});

describe('a call that a process takes up again while it still follows it', () => {
  it('is followed once, and its new lock is renewed', async () => {
    const queue = bullmq();
    const { held, taken, letGo, follow } = holding(HANDED_ON);
    await queue.work(follow);
    await queue.enqueue(['again']);
    await expect.poll(() => held.has('again')).toBe(true);
    await redis.del(...(await redis.keys(`${prefix}:*`)));
    await queue.enqueue(['again']);
    await expect.poll(() => [taken, letGo]).toEqual([['again', 'again'], ['again']]);

    let least = Infinity;
    const renewedBy = async () => {
      const left = await redis.pttl(key('again:lock'));
      least = Math.min(least, left);
      return left - least;
    };
    await expect.poll(renewedBy, { interval: 200 }).toBeGreaterThan(5_000);
    expect(taken).toEqual(['again', 'again']);
  });
});

describe('a lost lock', () => {
  it('aborts its follower', async () => {
    const queue = bullmq();
    const { held, letGo, follow } = holding(HANDED_ON);
    await queue.work(follow);
    await queue.enqueue(['robbed', 'kept']);
    await expect.poll(() => held.size).toBe(2);
    await redis.set(key('robbed:lock'), 'another worker', 'PX', 60_000);
    await expect.poll(() => letGo).toEqual(['robbed']);
    expect([...held]).toEqual(['kept']);
  });
});

describe('a flushed Redis', () => {
  it('gets the calls back that were followed, with what the followers hand on', async () => {
    const queue = bullmq();
    const leases: (HandedOn | null)[] = [];
    const handOn: HandedOn = {
      dueInMs: 1,
      streak: null,
      changedAfter: '2026-11-24T12:00:00.000Z',
      sinceAskedMs: null,
    };
    const lease = new AbortController();
    await queue.work(async (_callSid, handedOn) => {
      leases.push(handedOn);
      if (leases.length > 1) return { kind: 'done' };
      await untilAborted(lease.signal);
      return { kind: 'handBack', handOn };
    });
    await queue.enqueue(['flushed']);
    await expect.poll(() => leases.length).toBe(1);
    await redis.del(...(await redis.keys(`${prefix}:*`)));
    lease.abort();
    await expect.poll(() => leases).toEqual([null, handOn]);
  });
});

describe('load', () => {
  it('spreads when a worker joins: a few leases later each holds a third or more', async () => {
    const callSids = Array.from({ length: 400 }, (_, n) => `call-${n}`);
    const [first, second] = [new Set<string>(), new Set<string>()];
    const ends = new Map<string, AbortController>();
    let taken = 0;
    const following =
      (mine: Set<string>): Follow =>
      async (callSid, _handedOn, signal) => {
        const end = new AbortController();
        ends.set(callSid, end);
        mine.add(callSid);
        taken++;
        await untilAborted(AbortSignal.any([signal, end.signal]));
        mine.delete(callSid);
        return { kind: 'handBack', handOn: HANDED_ON };
      };
    const one = bullmq();
    await one.work(following(first));
    await one.enqueue(callSids);
    await expect.poll(() => taken).toBe(400);
    await bullmq().work(following(second));
    const fewer = () => Math.min(first.size, second.size);
    for (let ended = 0; ended < LEASES * 400 && fewer() < 133; ended += LEASES_AT_ONCE) {
      const from = ended % 400;
      for (const callSid of callSids.slice(from, from + LEASES_AT_ONCE)) ends.get(callSid)?.abort();
      await expect.poll(() => taken).toBe(400 + ended + LEASES_AT_ONCE);
    }
    expect(fewer()).toBeGreaterThanOrEqual(133);
    expect(first.size + second.size).toBe(400);
  });
});

describe('while Redis is away', () => {
  it('followers go on, lease after lease; when it is back, calls are enqueued and handed back as usual', async () => {
    const proxy = await tcpProxy(inject('redisUrl'));
    proxies.push(proxy);
    const queue = bullmq({ redisUrl: proxy.url });
    const leases: string[] = [];
    await queue.work(async (callSid, _handedOn, signal) => {
      leases.push(callSid);
      await sleep(50, undefined, { signal }).catch(() => {});
      return {
        kind: 'handBack',
        handOn: HANDED_ON,
      };
    });
    await queue.enqueue(['through']);
    await expect.poll(() => leases.length).toBeGreaterThan(2);
    await proxy.cut();
    await expect.poll(() => queue.state()).toBe('down');
    const before = leases.length;
    await expect.poll(() => leases.length).toBeGreaterThan(before + 10);
    await expect(queue.enqueue(['later'])).rejects.toThrow();

    await proxy.mend();
    await expect.poll(() => queue.state()).toBe('up');
    await queue.enqueue(['later']);
    await expect.poll(() => leases).toContain('later');
    const handedBack = async () => JSON.parse((await redis.hget(key('through'), 'data')) ?? 'null')?.handedOn;
    await expect.poll(handedBack).toEqual(HANDED_ON);
  });
});

// Whose Redis REDIS_URL or a container is may not be stopped: these tests need one of their own.
it.skipIf(!isOnPath('redis-server'))(
  'while Redis hangs followers go on, and nobody waits for it',
  async () => {
    const hanging = await spawnRedisServer();
    try {
      const queue = bullmq({ redisUrl: hanging.url });
      let leases = 0;
      await queue.work(async (_callSid, _handedOn, signal) => {
        leases++;
        await sleep(50, undefined, { signal }).catch(() => {});
        return {
          kind: 'handBack',
          handOn: HANDED_ON,
        };
      });
      await queue.enqueue(['a']);
      await expect.poll(() => leases).toBeGreaterThan(2);
      hanging.process.kill('SIGSTOP');
      const before = leases;
      expect(await queue.state()).toBe('down');
      await expect(queue.enqueue(['b'])).rejects.toMatchObject({ code: 'queue_unavailable' });
      // It is followed here.
      await queue.requeue(['a']);
      await expect.poll(() => leases).toBeGreaterThan(before + 1);
      hanging.process.kill('SIGCONT');
      await expect.poll(() => queue.state()).toBe('up');
      await queue.close();
    } finally {
      hanging.process.kill('SIGCONT');
      await hanging.stop();
    }
  },
);

// Whose Redis REDIS_URL or a container is may not be changed: this test needs one of its own.
it.skipIf(!isOnPath('redis-server'))('a Redis that may evict keys is warned of', async () => {
  const lines: string[] = [];
  const into = new Writable({
    write(line, _encoding, done) {
      lines.push(`${line}`);
      done();
    },
  });
  const evicting = await spawnRedisServer({ 'maxmemory-policy': 'allkeys-lru' });
  try {
    const queue = bullmq({ redisUrl: evicting.url, log: pino(into) });
    await expect.poll(() => lines.join('')).toContain('"policy":"allkeys-lru"');
    await queue.close();
  } finally {
    await evicting.stop();
  }
});
