import { rm } from 'node:fs/promises';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Follow, HandedOn } from '../../src/follow/lease.ts';
import { createBullmqQueue } from '../../src/queue/bullmq.ts';
import type { CallQueue } from '../../src/queue/call-queue.ts';
import { holding } from '../support/holding.ts';
import { isOnPath } from '../support/redis-choice.ts';
import { type RedisServer, spawnRedisServer } from '../support/redis-server.ts';
import { tcpProxy } from '../support/tcp-proxy.ts';

/** A Redis that is connected, answers, and does not do what it is asked: what must not become of a call. */

const PREFIX = 'test';
const key = (name: string) => `${PREFIX}:calls:${name}`;
const HAND_ON: HandedOn = { dueInMs: 7, streak: null, changedAfter: null, sinceAskedMs: null };

let server: RedisServer;
let redis: Redis;
let after: AsyncDisposableStack;
let lines: { msg: string; err?: { message: string } }[];

beforeEach(async (test) => {
  after = new AsyncDisposableStack();
  lines = [];
  // Whose Redis REDIS_URL or a container is may not be broken: these tests need one of their own.
  if (!isOnPath('redis-server')) return test.skip();
  server = await spawnRedisServer();
  after.defer(() => server.kill());
  redis = new Redis(server.url);
  redis.on('error', () => {});
  after.defer(() => redis.disconnect());
});

afterEach(() => after.disposeAsync());

function bullmq({ redisUrl = server.url, concurrency = 1_000 } = {}): CallQueue {
  const into = new Writable({
    write(line, _encoding, done) {
      lines.push(JSON.parse(line));
      done();
    },
  });
  const log = pino({ level: 'info' }, into);
  const queue = createBullmqQueue({ redisUrl, prefix: PREFIX, concurrency, yieldAfterMs: 60_000, log });
  after.defer(() => queue.close());
  return queue;
}

/** Leases of 100 ms, and how many each call has had. */
function shortLeases() {
  const leases = new Map<string, number>();
  const follow: Follow = async (callSid, _handedOn, signal) => {
    leases.set(callSid, (leases.get(callSid) ?? 0) + 1);
    await sleep(100, undefined, { signal }).catch(() => {});
    return { kind: 'handBack', handOn: HAND_ON };
  };
  return { leases, follow, least: () => Math.min(...leases.values()) };
}

const callsOf = (n: number) => Array.from({ length: n }, (_, i) => `call-${i}`);
const told = () => lines.map(({ msg, err }) => (err === undefined ? msg : `${msg} | ${err.message}`));

/** Ways in which a Redis refuses writes: how it comes to it, how it is cured, and what it says. */
const REFUSALS: [string, () => Promise<unknown>, () => Promise<unknown>, RegExp][] = [
  [
    'is full',
    () => redis.config('SET', 'maxmemory', '1'),
    () => redis.config('SET', 'maxmemory', '0'),
    /\| OOM command not allowed/,
  ],
  [
    'became a replica, with its connections kept',
    () => redis.replicaof('127.0.0.1', '1'),
    () => redis.replicaof('NO', 'ONE'),
    /\| READONLY You can't write/,
  ],
  [
    'cannot write to its disk',
    async () => {
      const [, dir = ''] = (await redis.config('GET', 'dir')) as string[];
      await redis.config('SET', 'save', '3600 1');
      await rm(dir, { recursive: true });
      await redis.bgsave();
    },
    () => redis.config('SET', 'save', ''),
    /\| MISCONF /,
  ],
  [
    'has too few replicas',
    () => redis.config('SET', 'min-replicas-to-write', '1'),
    () => redis.config('SET', 'min-replicas-to-write', '0'),
    /\| NOREPLICAS /,
  ],
  [
    'takes a write, and no script',
    () => redis.call('ACL', 'SETUSER', 'default', '-eval', '-evalsha'),
    () => redis.call('ACL', 'SETUSER', 'default', '+eval', '+evalsha'),
    /\| NOPERM /,
  ],
  [
    'has another thing where the queue has its jobs',
    () => redis.set(key('wait'), 'another thing'),
    () => redis.del(key('wait')),
    /\| WRONGTYPE /,
  ],
];

describe.each(REFUSALS)('a Redis that %s', (_, refuse, cure, words) => {
  it('is down, and says so once; calls are followed on, and handed back when it is cured', async () => {
    const queue = bullmq();
    const { leases, follow, least } = shortLeases();
    const calls = callsOf(20);
    await queue.work(follow);
    await queue.enqueue(calls);
    await expect.poll(() => leases.size).toBe(20);
    expect(await queue.state()).toBe('up');

    await refuse();
    await expect.poll(() => queue.state()).toBe('down');
    // As the sweeper does: a call that was between two leases just then is in Redis alone.
    await queue.requeue(calls);
    const before = new Map(leases);
    const since = () => Math.min(...calls.map((call) => (leases.get(call) ?? 0) - (before.get(call) ?? 0)));
    await expect.poll(since).toBeGreaterThan(20);
    expect(queue.followed).toBe(20);
    await expect(queue.enqueue(['late'])).rejects.toThrow();
    expect(told()).toEqual([expect.stringMatching(words)]);

    await cure();
    await expect.poll(() => queue.state()).toBe('up');
    // As the sweeper does: of a job that was refused half-way, something may be left.
    await queue.requeue(['late']);
    await expect.poll(() => leases.has('late')).toBe(true);
    await expect
      .poll(async () => JSON.parse((await redis.hget(key('call-0'), 'data')) ?? '{}').handedOn)
      .toEqual(HAND_ON);
    const last = least();
    await expect.poll(least).toBeGreaterThan(last + 3);
    expect(told()).toEqual([expect.stringMatching(words), 'Redis is back: it takes writes']);
  });

  it('is not asked again and again by a worker with room', async () => {
    const queue = bullmq();
    await queue.work(async () => ({ kind: 'done' }));
    await queue.enqueue(callsOf(5));
    await expect.poll(async () => redis.llen(key('active'))).toBe(0);
    await refuse();
    await expect.poll(() => queue.state()).toBe('down');
    const commands = async () =>
      Number(/total_commands_processed:(\d+)/.exec(await redis.info('stats'))?.[1]);
    const before = await commands();
    await sleep(3_000);
    expect((await commands()) - before).toBeLessThan(200);
  });
});

it('a fault that outlasts the locks ends no lease of any worker, and the locks are taken again', async () => {
  const { held, taken, letGo, follow } = holding(HAND_ON);
  const queue = bullmq({ concurrency: 800 });
  await queue.work(follow);
  // One finds half a second before the other that Redis takes writes again.
  await sleep(500);
  await bullmq({ concurrency: 800 }).work(follow);
  await queue.enqueue(callsOf(1_500));
  await expect.poll(() => held.size).toBe(1_500);
  const locks = async () => (await redis.keys(key('*:lock'))).length;
  expect(await locks()).toBe(1_500);

  // As the stalled check leaves it: whoever checks next gives out every job of these that has no lock.
  await redis.sadd(key('stalled'), ...callsOf(1_500));
  await redis.config('SET', 'maxmemory', '1');
  await expect.poll(locks, { timeout: 40_000, interval: 500 }).toBe(0);
  await redis.config('SET', 'maxmemory', '0');
  await redis.set(key('call-7:lock'), 'another worker', 'PX', 60_000);
  await expect.poll(locks).toBe(1_500);
  await expect.poll(() => letGo).toEqual(['call-7']);
  // No stalled check has given any of them out meanwhile.
  await sleep(20_000);
  expect([taken.length, held.size, letGo.length]).toEqual([1_500, 1_499, 1]);
}, 120_000);

it('after a failover that keeps connections, the new master gets the calls back', async () => {
  const promoted = await spawnRedisServer();
  after.defer(() => promoted.kill());
  const proxy = await tcpProxy(server.url);
  after.defer(() => proxy.close());
  const queue = bullmq({ redisUrl: proxy.url });
  const { leases, follow, least } = shortLeases();
  await queue.work(follow);
  await queue.enqueue(callsOf(20));
  await expect.poll(() => leases.size).toBe(20);

  // The new master is empty: it was promoted before it had anything.
  proxy.leadTo(promoted.url);
  await redis.replicaof('127.0.0.1', `${promoted.port}`);
  const there = new Redis(promoted.url);
  after.defer(() => there.disconnect());
  const before = least();
  await expect.poll(async () => (await there.keys(key('call-*'))).length).toBeGreaterThanOrEqual(20);
  await expect.poll(() => queue.state()).toBe('up');
  await expect.poll(least).toBeGreaterThan(before + 5);
  await queue.enqueue(['late']);
  await expect.poll(() => leases.has('late')).toBe(true);
});

it('a password that is wrong by now is told, and the right one heals', async () => {
  const queue = bullmq();
  const { leases, follow, least } = shortLeases();
  await queue.work(follow);
  await queue.enqueue(callsOf(5));
  await expect.poll(() => leases.size).toBe(5);
  await redis.config('SET', 'requirepass', 'another');
  await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await expect.poll(() => queue.state()).toBe('down');
  expect(told()).toEqual([expect.stringMatching(/\| NOAUTH /)]);
  const before = least();
  await expect.poll(least).toBeGreaterThan(before + 5);
  await redis.config('SET', 'requirepass', '');
  await expect.poll(() => queue.state()).toBe('up');
  await queue.enqueue(['late']);
  await expect.poll(() => leases.has('late')).toBe(true);
});

it('forgotten scripts are loaded again', async () => {
  const queue = bullmq();
  const { leases, follow, least } = shortLeases();
  await queue.work(follow);
  await queue.enqueue(callsOf(5));
  await expect.poll(() => leases.size).toBe(5);
  await redis.script('FLUSH');
  await queue.enqueue(['late']);
  await expect.poll(() => leases.has('late')).toBe(true);
  const before = least();
  await expect.poll(least).toBeGreaterThan(before + 3);
  expect(told()).toEqual([]);
});

describe('calls that wait while Redis refuses', () => {
  it('are followed by the process that sweeps, as far as it has room, and go to the queue when it is cured', async () => {
    const queue = bullmq({ concurrency: 3 });
    const { leases, follow, least } = shortLeases();
    await queue.work(follow);
    await queue.enqueue(['known']);
    await expect.poll(() => leases.size).toBe(1);
    await redis.config('SET', 'maxmemory', '1');
    await expect.poll(() => queue.state()).toBe('down');

    await queue.requeue(['known', 'new-1', 'new-2']);
    await expect.poll(() => leases.size).toBe(3);
    const before = least();
    await expect.poll(least).toBeGreaterThan(before + 5);
    expect(queue.followed).toBe(3);
    await expect(queue.requeue(['new-3'])).rejects.toMatchObject({ code: 'queue_unavailable' });

    await redis.config('SET', 'maxmemory', '0');
    await expect.poll(async () => (await redis.keys(key('new-*'))).length).toBeGreaterThanOrEqual(2);
    await queue.requeue(['new-3']);
    await expect.poll(() => leases.has('new-3')).toBe(true);
    const last = least();
    await expect.poll(least).toBeGreaterThan(last + 3);
  });

  it('are not taken by a process that follows none', async () => {
    const queue = bullmq();
    await redis.config('SET', 'maxmemory', '1');
    await expect(queue.requeue(['new'])).rejects.toThrow(/OOM/);
    expect(queue.followed).toBe(0);
  });
});

it('while Redis hangs nothing that is asked of the queue waits for it, nor does its end', async () => {
  const queue = bullmq();
  const { leases, follow, least } = shortLeases();
  await queue.work(follow);
  await queue.enqueue(callsOf(5));
  await expect.poll(() => leases.size).toBe(5);
  server.process.kill('SIGSTOP');
  after.defer(() => void server.process.kill('SIGCONT'));
  const started = performance.now();
  const asked = [
    queue.state(),
    queue.depth(),
    queue.enqueue(['a']),
    queue.requeue(['b']),
    queue.remove('call-0'),
  ];
  const [state, depth, enqueued, requeued, removed] = await Promise.allSettled(asked);
  expect(performance.now() - started).toBeLessThan(8_000);
  expect([state, depth]).toMatchObject([{ value: 'down' }, { value: null }]);
  expect([enqueued?.status, requeued?.status, removed?.status]).toEqual([
    'rejected',
    'fulfilled',
    'rejected',
  ]);
  const before = least();
  await expect.poll(least).toBeGreaterThan(before + 5);
  const ending = performance.now();
  await queue.close();
  expect(performance.now() - ending).toBeLessThan(11_000);
});
