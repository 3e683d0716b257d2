import { randomUUID } from 'node:crypto';
import { Value } from 'typebox/value';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { FeedPageJson } from '../../src/api/schemas.ts';
import { readConfig } from '../../src/config/config.ts';
import type { Step } from '../../src/simulator/life.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type Role, type Sidecar, startSidecar } from '../../src/wiring/sidecar.ts';
import { client } from '../support/client.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { silentLog as log } from '../support/log.ts';
import { FAST } from '../support/sidecar.ts';

const LIFE: Step[] = [
  { status: 'queued', forMs: 600 },
  { status: 'calling', forMs: 900 },
  { status: 'failure', reason: 'no answer', forMs: 0 },
];

const ONGOING: Step[] = [{ status: 'queued', forMs: Infinity }];

let simulator: Simulator;
let database: TestDatabase;
let redisPrefix: string;
let running: Sidecar[];

beforeEach(async () => {
  simulator = await startSimulator({ token: FAST.POLYAI_AUTH_TOKEN, style: 'mid-2026' });
  database = await createDatabase();
  redisPrefix = `test-${randomUUID()}`;
  running = [];
});

afterEach(async () => {
  for (const sidecar of running.reverse()) await sidecar.stop();
  await simulator.stop();
  await database.drop();
});

async function start(role: Role, more: Record<string, string> = {}): Promise<ReturnType<typeof client>> {
  const environment = { ...FAST, POLYAI_BASE_URL: simulator.url, DATABASE_URL: database.url, ...more };
  const sidecar = await startSidecar({ config: readConfig(role, environment), role, log, redisPrefix });
  running.push(sidecar);
  return client(sidecar.url ?? '');
}

const withRedis = () => ({ REDIS_URL: inject('redisUrl') });

describe.each([
  ['in-process', () => ({})],
  ['bullmq', withRedis],
])('polykeep on the %s queue', (_, environment) => {
  it('follows a call to its end, and answers for it after PolyAI has forgotten it', async () => {
    const polykeep = await start('serve', environment());
    const callSid = simulator.place({ script: ONGOING });
    expect((await polykeep.register(callSid)).status).toBe(201);
    const archived = async () => (await polykeep.call(callSid)).status;
    await expect.poll(archived).toBe('queued');
    simulator.setStatus(callSid, 'calling');
    await expect.poll(archived).toBe('calling');
    simulator.setStatus(callSid, 'failure', 'no answer');
    await expect.poll(archived).toBe('failure');
    simulator.forget(callSid);

    const call = await polykeep.call(callSid);
    expect(call).toMatchObject({ status: 'failure', reason: 'no answer', failedPolls: 0, lastError: null });
    expect(call.transitions.map(({ seq, status }) => `${seq} ${status}`)).toEqual([
      '1 queued',
      '2 calling',
      '3 failure',
    ]);
    const changes = simulator.calls.get(callSid)?.changes ?? [];
    for (const [index, { changedAfter, observedAt }] of call.transitions.entries()) {
      const at = changes[index]?.at ?? 0;
      expect(at).toBeLessThanOrEqual(Date.parse(observedAt));
      if (changedAfter !== null) expect(at).toBeGreaterThanOrEqual(Date.parse(changedAfter));
    }
  });

  it('holds who waits until the call settles, and answers who still waits when it stops', async () => {
    const polykeep = await start('serve', environment());
    const callSid = simulator.place({ script: LIFE });
    await polykeep.register(callSid);
    expect(await polykeep.get(`/v1/calls/${callSid}?wait=60`)).toMatchObject({ outcome: 'failure' });
    const feed = async () => Value.Parse(FeedPageJson, await polykeep.get('/v1/transitions'));
    // An open transaction, also of a test beside this one, keeps what is committed after it began from being read.
    await expect
      .poll(async () => (await feed()).data.map(({ status }) => status))
      .toEqual(simulator.journal.shownStatuses(callSid));

    const { nextCursor } = await feed();
    const held = polykeep.get(`/v1/transitions?after=${nextCursor}&wait=60`);
    await expect
      .poll(() =>
        database.query(`select 1 from pg_stat_activity where query like '%as lags%' and datname = current_database()
                                     and pid <> pg_backend_pid()`),
      )
      .not.toEqual([]);
    await running.pop()?.stop();
    expect(await held).toMatchObject({ data: [] });
  });

  it('follows a thousand calls of one batch: each settles, with exactly what PolyAI showed, and is then left alone', async () => {
    const polykeep = await start('serve', environment());
    const callSids = Array.from({ length: 1_000 }, () => simulator.place({ script: LIFE }));
    const { body } = await polykeep.post('/v1/calls/batch', {
      calls: callSids.map((callSid) => ({ callSid })),
    });
    expect(body).toEqual({ results: callSids.map((callSid) => ({ callSid, result: 'created' })) });
    await expect.poll(async () => (await polykeep.list('outcome=none')).length, { interval: 250 }).toBe(0);

    const calls = await polykeep.list('outcome=failure');
    expect(calls).toHaveLength(1_000);
    for (const { callSid, transitions, polls } of calls) {
      expect(transitions.map(({ status }) => status)).toEqual(simulator.journal.shownStatuses(callSid));
      // The poll that showed the end is the last one.
      const asked = simulator.journal.polls(callSid);
      expect(asked.filter(({ shown }) => shown?.status === 'failure')).toHaveLength(1);
      expect(polls).toBe(asked.length);
    }
  });

  it('goes on with lease after lease', async () => {
    const polykeep = await start('serve', { ...environment(), LEASE_MS: '300' });
    const callSid = simulator.place({ script: [{ status: 'queued', forMs: 3_000 }, ...LIFE.slice(2)] });
    await polykeep.register(callSid);
    await expect.poll(async () => (await polykeep.call(callSid)).outcome).toBe('failure');
    const call = await polykeep.call(callSid);
    expect(call.transitions.map(({ status }) => status)).toEqual(['queued', 'failure']);
    expect(call.polls).toBe(simulator.journal.polls(callSid).length);
  });

  it('says that it is ready, and which account is paused', async () => {
    const polykeep = await start('serve', environment());
    const parts = { postgres: 'up', queue: 'up', accounts: { default: 'ok' } };
    await expect.poll(() => polykeep.get('/health/ready')).toEqual({ status: 'ok', parts });

    simulator.setToken('another-token');
    await polykeep.register(simulator.place({ script: LIFE }));
    const paused = { ...parts, accounts: { default: 'paused' } };
    await expect.poll(() => polykeep.get('/health/ready')).toEqual({ status: 'degraded', parts: paused });
  });

  it('takes up at its start what another left behind, and settles it once', async () => {
    const first = await start('serve', environment());
    const callSids = Array.from({ length: 50 }, () => simulator.place({ script: ONGOING }));
    await first.post('/v1/calls/batch', { calls: callSids.map((callSid) => ({ callSid })) });
    await expect.poll(() => simulator.journal.total).toBeGreaterThan(50);
    await running.pop()?.stop();
    for (const callSid of callSids) simulator.setStatus(callSid, 'failure', 'no answer');

    const second = await start('serve', environment());
    await expect.poll(async () => (await second.list('outcome=failure')).length).toBe(50);
    for (const { callSid, transitions } of await second.list()) {
      expect(transitions.map(({ status }) => status)).toEqual(simulator.journal.shownStatuses(callSid));
    }
  });
});

describe('api and worker processes', () => {
  it('share the work over Redis', async () => {
    const api = await start('api', withRedis());
    const callSid = simulator.place({ script: LIFE });
    await api.register(callSid);
    expect(simulator.journal.total).toBe(0);
    await start('worker', withRedis());
    await start('worker', withRedis());
    await expect.poll(async () => (await api.call(callSid)).outcome).toBe('failure');
  });

  it('register also where there is no Redis, and have the calls followed when there is', async () => {
    const api = await start('api', { REDIS_URL: 'redis://127.0.0.1:1' });
    const callSid = simulator.place({ script: LIFE });
    expect((await api.register(callSid)).status).toBe(201);
    expect(await api.get('/health/ready')).toMatchObject({ status: 'degraded', parts: { queue: 'down' } });
    await start('worker', withRedis());
    await expect.poll(async () => (await api.call(callSid)).outcome).toBe('failure');
  });
});
