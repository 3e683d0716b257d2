import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { Leases } from '../../src/queue/leases.ts';
import { renewLocks } from '../../src/queue/locks.ts';
import { connectRedis } from '../../src/queue/redis.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type Role, type Sidecar, startSidecar } from '../../src/wiring/sidecar.ts';
import { client } from '../support/client.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { silentLog as log } from '../support/log.ts';
import { followThrough } from '../support/many-calls.ts';
import { isOnPath } from '../support/redis-choice.ts';
import { spawnRedisCluster } from '../support/redis-cluster.ts';
import { spawnRedisSentinels } from '../support/redis-sentinel.ts';
import { FAST } from '../support/sidecar.ts';

/** One `api` and two `worker` on a Redis of several servers, whose master dies in the middle. */

const PASSWORDS = { password: 'of:redis/1', sentinelPassword: 'of+sentinel' };

let after: AsyncDisposableStack;
let simulator: Simulator;
let database: TestDatabase;

beforeEach(async ({ skip }) => {
  after = new AsyncDisposableStack();
  skip(!isOnPath('redis-server'), 'no redis-server on the PATH to make a cluster and sentinels of');
  simulator = await startSimulator({ token: FAST.POLYAI_AUTH_TOKEN });
  after.defer(() => simulator.stop());
  database = await createDatabase();
  after.defer(() => database.drop());
});

afterEach(() => after.disposeAsync());

async function start(role: Role, redisUrl: string): Promise<Sidecar> {
  const environment = {
    ...FAST,
    LEASE_MS: '3000',
    POLYAI_BASE_URL: simulator.url,
    DATABASE_URL: database.url,
    REDIS_URL: redisUrl,
  };
  const sidecar = await startSidecar({ config: readConfig(role, environment), role, log });
  after.defer(() => sidecar.stop());
  return sidecar;
}

async function startAll(redisUrl: string): Promise<string> {
  const { url } = await start('api', redisUrl);
  await Promise.all([start('worker', redisUrl), start('worker', redisUrl)]);
  return url ?? '';
}

/** What is registered now is followed at once, and not only when the sweeper finds it. */
async function expectHealed(url: string): Promise<void> {
  const ready = async () => (await fetch(`${url}/health/ready`)).json();
  await expect.poll(ready).toMatchObject({ parts: { queue: 'up' } });
  const callSid = simulator.place({ script: [{ status: 'success', forMs: 0 }] });
  await client(url).register(callSid);
  await expect
    .poll(async () => (await client(url).call(callSid)).outcome, { timeout: 10_000 })
    .toBe('success');
}

it('a master that is killed under Sentinel costs no call, and what takes its place is found', async ({
  annotate,
}) => {
  const redis = await spawnRedisSentinels(PASSWORDS);
  after.defer(() => redis.stop());
  const url = await startAll(redis.url);
  const { lost, longestGapMs } = await followThrough(url, simulator, async (meanwhile) => {
    await Promise.all([redis.killMaster(), meanwhile()]);
  });
  await annotate(`longest gap between two polls of a call: ${longestGapMs} ms`);
  expect(lost).toEqual([]);
  await expectHealed(url);
  const replica = new Redis(await redis.masterUrl(), { password: PASSWORDS.password });
  after.defer(() => replica.disconnect());
  expect((await replica.keys('*')).length).toBeGreaterThan(0);
});

it('a master of a cluster that is killed, and started again as a replica, costs no call', async ({
  annotate,
}) => {
  const redis = await spawnRedisCluster();
  after.defer(() => redis.stop());
  const url = await startAll(redis.url);
  const { lost, longestGapMs } = await followThrough(url, simulator, async (meanwhile) => {
    const [restart] = await Promise.all([redis.killMaster(), meanwhile()]);
    await restart();
  });
  await annotate(`longest gap between two polls of a call: ${longestGapMs} ms`);
  expect(lost).toEqual([]);
  await expectHealed(url);
  const held = (await Promise.all(redis.servers.map(keysOfMaster))).filter((keys) => keys.length > 0);
  expect(held.length, 'all keys are in one slot, and so on one master').toBe(1);
  for (const name of [':probe', ':rate:default', ':calls:meta']) {
    expect(held[0]).toContainEqual(expect.stringMatching(new RegExp(`^polykeep:{[0-9a-f-]{36}}${name}$`)));
  }
  const board = await fetch(`${url}/queues/api/queues`);
  expect(await board.json()).toMatchObject({ queues: [{ name: 'calls' }] });
});

it('a lock that ran out is taken again in a cluster', async () => {
  const cluster = await spawnRedisCluster();
  after.defer(() => cluster.stop());
  const redis = connectRedis(cluster.url, { maxRetriesPerRequest: null }, log);
  after.defer(() => redis.disconnect());
  const jobPrefix = 'test:{archive}:calls';
  const leases = new Leases({ atMost: 10, yieldAfterMs: 60_000 });
  for (const id of ['free', 'taken']) {
    leases.begin(id, 'ours');
    await redis.hset(`${jobPrefix}:${id}`, { data: '{}' });
  }
  await redis.set(`${jobPrefix}:taken:lock`, 'theirs');
  const refused: unknown[] = [];
  await renewLocks({
    leases,
    redis,
    jobPrefix,
    extend: async (ids) => ids,
    lockMs: 30_000,
    refused: (error) => refused.push(error),
  });
  expect(refused).toEqual([]);
  expect(await redis.get(`${jobPrefix}:free:lock`)).toBe('ours');
  expect(leases.all().map(({ id }) => id)).toEqual(['free']);
});

async function keysOfMaster(url: string): Promise<string[]> {
  const server = new Redis(url);
  try {
    const [role] = await server.role();
    return role === 'master' ? await server.keys('*') : [];
  } finally {
    server.disconnect();
  }
}
