import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import type { Step } from '../../src/simulator/life.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type Role, type Sidecar, startSidecar } from '../../src/wiring/sidecar.ts';
import { storeCalls } from '../support/calls.ts';
import { client } from '../support/client.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { livesUntilSeen } from '../support/lives.ts';
import { silentLog as log } from '../support/log.ts';
import { scrape } from '../support/prometheus.ts';
import { FAST } from '../support/sidecar.ts';
import { tcpProxy } from '../support/tcp-proxy.ts';

const LIFE = ['queued', 'greeting', 'success'].map((status) => ({ status }));
const ONGOING: Step[] = [{ status: 'queued', forMs: Infinity }];

let simulator: Simulator;
let lives: ReturnType<typeof livesUntilSeen>;
let database: TestDatabase;
let redisPrefix: string;
let running: AsyncDisposableStack;

beforeEach(async () => {
  running = new AsyncDisposableStack();
  simulator = await startSimulator({ token: FAST.POLYAI_AUTH_TOKEN });
  running.defer(() => simulator.stop());
  lives = livesUntilSeen(simulator, LIFE);
  running.defer(() => lives.stop());
  database = await createDatabase();
  running.defer(() => database.drop());
  redisPrefix = `test-${randomUUID()}`;
});

afterEach(() => running.disposeAsync());

async function start(role: Role, more: Record<string, string> = {}): Promise<Sidecar> {
  const environment = { ...FAST, POLYAI_BASE_URL: simulator.url, DATABASE_URL: database.url, ...more };
  const sidecar = await startSidecar({ config: readConfig(role, environment), role, log, redisPrefix });
  running.defer(() => sidecar.stop());
  return sidecar;
}

const urlOf = ({ url }: Sidecar) => url ?? '';
const withRedis = () => ({ REDIS_URL: inject('redisUrl') });
const US = { account: 'default' };

describe.each([
  ['in-process', () => ({})],
  ['bullmq', withRedis],
])('/metrics on the %s queue', (_, environment) => {
  it('tells what became of real calls', async () => {
    const url = urlOf(await start('serve', environment()));
    const polykeep = client(url);
    const callSids = Array.from({ length: 10 }, () => lives.place());
    await polykeep.post('/v1/calls/batch', { calls: callSids.map((callSid) => ({ callSid })) });
    await expect.poll(async () => (await polykeep.list('outcome=success')).length).toBe(10);

    const told = await scrape(url);
    const polls = callSids.flatMap((callSid) => simulator.journal.polls(callSid)).length;
    expect(told.value('polykeep_polls_total', { ...US, result: 'status' })).toBe(polls);
    expect(told.value('polykeep_poll_seconds_count', US)).toBe(polls);
    // The first poll of a call has none before it.
    expect(told.value('polykeep_poll_interval_seconds_count', US)).toBe(polls - 10);
    const status = (status: string) => told.value('polykeep_transitions_total', { ...US, status });
    expect([status('queued'), status('other'), status('success'), status('greeting')]).toEqual([
      10,
      10,
      10,
      null,
    ]);
    expect(told.value('polykeep_settled_total', { ...US, outcome: 'success' })).toBe(10);
    // Of the two changes after the first status.
    expect(told.value('polykeep_detection_lag_seconds_count', US)).toBe(20);
    const reports = told.value('polykeep_write_reports_sum') ?? 0;
    expect(reports).toBeGreaterThanOrEqual(30);
    expect(told.value('polykeep_write_seconds_count')).toBe(told.value('polykeep_write_reports_count'));
    expect(told.value('polykeep_writes_away')).toBe(0);
    expect(told.value('polykeep_write_failures_total')).toBe(0);
    const batch = { method: 'POST', route: '/v1/calls/batch', status: '2xx' };
    expect(told.value('polykeep_http_request_seconds_count', batch)).toBe(1);
    expect(told.value('polykeep_build_info', { role: 'serve' })).toBe(1);
    expect(told.value('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0);
  });

  it('tells how many calls are followed, and how many wait for room', async () => {
    const url = urlOf(await start('serve', { ...environment(), WORKER_CONCURRENCY: '2' }));
    for (let call = 0; call < 5; call++) await client(url).register(simulator.place({ script: ONGOING }));
    await expect
      .poll(async () => {
        const told = await scrape(url);
        const queue = (state: string) => told.value('polykeep_queue_calls', { state });
        const waiting = (queue('waiting') ?? 0) + (queue('delayed') ?? 0);
        return [told.value('polykeep_calls_followed'), queue('active'), waiting];
      })
      .toEqual([2, 2, 3]);
  });

  it('counts what the sweeper takes up', async () => {
    const callSid = lives.place();
    await storeCalls(database, [{ callSid }]);
    const url = urlOf(await start('serve', environment()));
    await expect.poll(async () => (await client(url).call(callSid)).outcome).toBe('success');
    expect((await scrape(url)).value('polykeep_swept_up_total')).toBe(1);
  });
});

describe('/metrics', () => {
  it('goes on while Postgres is away, and says so', async () => {
    const way = await tcpProxy(database.url);
    running.defer(() => way.close());
    const url = urlOf(await start('serve', { DATABASE_URL: way.url }));
    const callSid = simulator.place({ script: ONGOING });
    await client(url).register(callSid);
    await expect.poll(async () => (await client(url).call(callSid)).status).toBe('queued');
    expect((await scrape(url)).value('polykeep_calls_at_risk', US)).toBe(0);

    await way.cut();
    simulator.setStatus(callSid, 'calling');
    const away = async () => {
      const told = await scrape(url);
      const names = ['polykeep_archive_up', 'polykeep_writes_away', 'polykeep_calls_at_risk'];
      return names.map((name) => told.value(name));
    };
    await expect.poll(away).toEqual([0, 1, null]);
    const told = await scrape(url);
    expect(told.value('polykeep_write_failures_total', { kind: 'retried' })).toBeGreaterThan(0);
    expect(told.value('polykeep_transitions_total', { ...US, status: 'calling' })).toBeNull();
    await client(url).get('/v1/calls/anything');
    const failed = { route: '/v1/calls/:callSid', status: '5xx' };
    await expect
      .poll(async () => (await scrape(url)).value('polykeep_http_request_seconds_count', failed))
      .toBe(1);

    await way.mend();
    await expect.poll(away).toEqual([1, 0, 0]);
    await expect
      .poll(async () => (await scrape(url)).value('polykeep_transitions_total', { ...US, status: 'calling' }))
      .toBe(1);
  });

  it('counts requests to no route as one, whatever their path', async () => {
    const url = urlOf(await start('serve'));
    for (const path of ['/nothing', '/nowhere?a=b']) await client(url).get(path);
    const nowhere = { method: 'GET', route: 'none', status: '4xx' };
    await expect
      .poll(async () => (await scrape(url)).value('polykeep_http_request_seconds_count', nowhere))
      .toBe(2);
  });
});

describe('a worker', () => {
  it('does not listen unless it is given a port', async () => {
    expect((await start('worker', withRedis())).url).toBeNull();
  });

  it('with a port tells its health and its metrics, a paused account among them, and nothing else', async () => {
    const api = urlOf(await start('api', withRedis()));
    const worker = urlOf(await start('worker', { ...withRedis(), WORKER_PORT: '0' }));
    const parts = { postgres: 'up', queue: 'up', accounts: { default: 'ok' } };
    expect(await client(worker).get('/health/live')).toEqual({ status: 'ok' });
    await expect.poll(() => client(worker).get('/health/ready')).toEqual({ status: 'ok', parts });
    expect(await client(worker).get('/v1/calls')).toMatchObject({ status: 404, code: 'route_not_found' });
    expect((await client(worker).post('/v1/calls', { callSid: 'OUT-1' })).status).toBe(404);

    simulator.setToken('another-token');
    await client(api).register(simulator.place({ script: ONGOING }));
    await expect.poll(async () => (await scrape(worker)).value('polykeep_account_paused', US)).toBe(1);
    expect(await client(worker).get('/health/ready')).toMatchObject({
      status: 'degraded',
      parts: { accounts: { default: 'paused' } },
    });
    // Who polls nothing does not know.
    expect((await scrape(api)).value('polykeep_account_paused', US)).toBe(0);
    // A probe every 30 s is refused as well.
    const refused = async () =>
      (await scrape(worker)).value('polykeep_polls_total', { result: 'unauthorized' });
    await expect.poll(async () => (await refused()) === simulator.journal.total).toBe(true);
    expect((await scrape(worker)).value('polykeep_build_info', { role: 'worker' })).toBe(1);
  });
});
