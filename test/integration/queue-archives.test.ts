import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type Sidecar, startSidecar } from '../../src/wiring/sidecar.ts';
import { client } from '../support/client.ts';
import { createDatabase } from '../support/database.ts';
import { silentLog as log } from '../support/log.ts';
import { scrape } from '../support/prometheus.ts';
import { isOnPath } from '../support/redis-choice.ts';
import { type RedisServer, spawnRedisServer } from '../support/redis-server.ts';
import { FAST } from '../support/sidecar.ts';

/** Whole processes on one Redis, with the prefix that every deployment has. */

let after: AsyncDisposableStack;
let server: RedisServer;
let redis: Redis;
let simulator: Simulator;

beforeEach(async (test) => {
  after = new AsyncDisposableStack();
  // Whose Redis REDIS_URL or a container is may hold keys of a deployment, and may not be made to refuse.
  if (!isOnPath('redis-server')) return test.skip();
  server = await spawnRedisServer();
  after.defer(() => server.kill());
  redis = new Redis(server.url);
  after.defer(() => redis.disconnect());
  simulator = await startSimulator({ token: FAST.POLYAI_AUTH_TOKEN });
  after.defer(() => simulator.stop());
});

afterEach(() => after.disposeAsync());

async function start(more: Record<string, string> = {}): Promise<Sidecar> {
  const database = await createDatabase();
  after.defer(() => database.drop());
  const environment = {
    ...FAST,
    POLYAI_BASE_URL: simulator.url,
    DATABASE_URL: database.url,
    REDIS_URL: server.url,
    ...more,
  };
  const sidecar = await startSidecar({ config: readConfig('serve', environment), role: 'serve', log });
  after.defer(() => sidecar.stop());
  return sidecar;
}

const waiting = () => simulator.place({ script: [{ status: 'queued', forMs: Infinity }] });

it('two deployments on one Redis follow their own calls, each at once', async () => {
  const [one, other] = [await start(), await start()].map(({ url }) => client(url ?? ''));
  const calls = [one, other].flatMap((polykeep) =>
    Array.from({ length: 20 }, () => ({ polykeep, callSid: waiting() })),
  );
  await Promise.all(calls.map(({ polykeep, callSid }) => polykeep?.register(callSid)));
  const unseen = async () => {
    const found = await Promise.all(calls.map(({ polykeep, callSid }) => polykeep?.call(callSid)));
    return found.filter((call) => call?.status !== 'queued').length;
  };
  // The sweeper would bring in what the other one took away within 15 s.
  await expect.poll(unseen, { timeout: 5_000, interval: 100 }).toBe(0);
  const archives = new Set((await redis.keys('*')).map((key) => key.split(':').slice(0, 2).join(':')));
  expect([...archives]).toEqual(Array(2).fill(expect.stringMatching(/^polykeep:\{[0-9a-f-]{36}\}$/)));
});

it('a call that is registered while Redis refuses is followed, and operators are told that it refuses', async () => {
  const { url } = await start({ LEASE_MS: '2000' });
  const polykeep = client(url ?? '');
  const before = waiting();
  await polykeep.register(before);
  await expect.poll(async () => (await polykeep.call(before)).status).toBe('queued');
  const health = async () => (await fetch(`${url}/health/ready`)).json();
  expect(await health()).toMatchObject({ status: 'ok', parts: { queue: 'up' } });

  await redis.config('SET', 'maxmemory', '1');
  await expect.poll(health).toMatchObject({ status: 'degraded', parts: { queue: 'down' } });
  expect((await scrape(url ?? '')).value('polykeep_queue_up')).toBe(0);
  const during = waiting();
  await polykeep.register(during);
  await expect.poll(async () => (await polykeep.call(during)).status, { timeout: 20_000 }).toBe('queued');
  for (const callSid of [before, during]) simulator.setStatus(callSid, 'success');
  await expect.poll(async () => (await polykeep.call(before)).outcome).toBe('success');
  await expect.poll(async () => (await polykeep.call(during)).outcome).toBe('success');

  await redis.config('SET', 'maxmemory', '0');
  await expect.poll(health).toMatchObject({ status: 'ok', parts: { queue: 'up' } });
  expect((await scrape(url ?? '')).value('polykeep_queue_up')).toBe(1);
});
