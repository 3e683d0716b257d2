import type { FastifyInstance } from 'fastify';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type { ArchiveWriter } from '../../src/archive/write/writer.ts';
import { readConfig } from '../../src/config/config.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type Role, type Sidecar, startSidecar } from '../../src/wiring/sidecar.ts';
import { type ApiServer, startApiServer } from '../support/api-server.ts';
import { client } from '../support/client.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { silentLog as log } from '../support/log.ts';
import { FAST } from '../support/sidecar.ts';
import { sightingNow } from '../support/sighting.ts';
import { type TcpProxy, tcpProxy } from '../support/tcp-proxy.ts';

/** A dozen polls then take longer than a lease of 300 ms. */
const FASTER = { POLL_INTERVAL_MIN_MS: '50', POLL_INTERVAL_MAX_MS: '100' };

let test: TestDatabase;

beforeEach(async () => {
  test = await createDatabase();
});

afterEach(() => test.drop());

/** What belongs to a call names its number, not its callSid. */
async function idOf(callSid: string): Promise<string> {
  const rows = await test.query<{ id: string }>(
    'select id from polykeep_internal.calls where call_sid = $1',
    [callSid],
  );
  return rows[0]?.id ?? '0';
}

async function rowsLeft(id: string): Promise<number> {
  const [row] = await test.query<{ rows: number }>(
    `select ((select count(*) from polykeep_internal.calls where id = $1)
             + (select count(*) from polykeep_internal.transitions where call_id = $1)
             + (select count(*) from polykeep_internal.unsettled where call_id = $1))::int as rows`,
    [id],
  );
  return row?.rows ?? -1;
}

describe('DELETE /v1/calls/{callSid}', () => {
  let server: ApiServer;
  let writer: ArchiveWriter;
  let app: FastifyInstance;
  let doomed: string;
  let stopped: { callSid: string; rows: Promise<number> }[];

  beforeEach(async () => {
    stopped = [];
    const stopFollowing = (callSid: string) => void stopped.push({ callSid, rows: rowsLeft(doomed) });
    server = startApiServer({ url: test.url, newsUrl: null, options: { stopFollowing } });
    const { registrar } = server;
    ({ writer, app } = server);
    await registrar.registerAll(
      ['doomed', 'spared', 'a:b~c'].map((callSid) => ({ callSid, account: 'default', metadata: {} })),
    );
    for (const callSid of ['doomed', 'spared'])
      await writer.report({ callSid, sighting: sightingNow('queued') });
    doomed = await idOf('doomed');
  });

  afterEach(async () => {
    await Promise.all(stopped.map(({ rows }) => rows));
    await server.stop();
  });

  const erase = (callSid: string) =>
    app.inject({ method: 'DELETE', url: `/v1/calls/${encodeURIComponent(callSid)}` });

  it('answers 204, and the call is gone with its transitions, and no other', async () => {
    const response = await erase('doomed');
    expect(response.statusCode).toBe(204);
    expect(response.body).toBe('');
    expect(await rowsLeft(doomed)).toBe(0);
    expect(await rowsLeft(await idOf('spared'))).toBe(3);
    expect((await app.inject({ method: 'GET', url: '/v1/calls/doomed' })).statusCode).toBe(404);
  });

  it('has the follower stopped when the row is gone, not before', async () => {
    await erase('doomed');
    expect(stopped).toHaveLength(1);
    expect(stopped[0]?.callSid).toBe('doomed');
    expect(await stopped[0]?.rows).toBe(0);
  });

  it('answers 404 for a call that was never registered, or is erased already', async () => {
    expect((await erase('a:b~c')).statusCode).toBe(204);
    for (const callSid of ['never', 'a:b~c']) {
      const response = await erase(callSid);
      expect(response.statusCode).toBe(404);
      expect(response.headers['content-type']).toContain('application/problem+json');
      expect(response.json()).toMatchObject({ status: 404, code: 'call_not_found' });
    }
    expect(stopped).toHaveLength(1);
  });

  it('is not undone by a report that comes while it is erased', async () => {
    const eraser = new Client({ connectionString: test.url });
    await eraser.connect();
    try {
      await eraser.query('begin');
      await eraser.query('select from polykeep_internal.calls where id = $1 for update', [doomed]);
      let isAnswered = false;
      const reported = writer.report({ callSid: 'doomed', sighting: sightingNow('calling') });
      void reported.finally(() => {
        isAnswered = true;
      });
      // A report of a locked call holds up no other, and waits.
      await writer.report({ callSid: 'other', sighting: sightingNow('calling') });
      expect(isAnswered).toBe(false);
      for (const [table, key] of Object.entries({
        calls: 'id',
        unsettled: 'call_id',
        transitions: 'call_id',
      }))
        await eraser.query(`delete from polykeep_internal.${table} where ${key} = $1`, [doomed]);
      await eraser.query('commit');
      expect(await reported).toBeNull();
    } finally {
      await eraser.end();
    }
    expect(await rowsLeft(doomed)).toBe(0);
  });

  it('waits for a report that has the row, and takes what it wrote with it', async () => {
    const follower = new Client({ connectionString: test.url });
    await follower.connect();
    try {
      await follower.query('begin');
      await follower.query(`select from polykeep_internal.calls where call_sid = 'doomed' for update`);
      const { rows } = await follower.query(
        `insert into polykeep_internal.transitions (call_id, seq, status, observed_at, body_form)
         values ($1, 2, (select id from polykeep_internal.statuses), now(), 1) returning seq`,
        [doomed],
      );
      expect(rows).toHaveLength(1);
      const erased = erase('doomed');
      await expect.poll(waitingForLocks).toBe(1);
      await follower.query('commit');
      expect((await erased).statusCode).toBe(204);
    } finally {
      await follower.end();
    }
    expect(await rowsLeft(doomed)).toBe(0);
  });

  it('leaves the other reports of a batch as they are', async () => {
    await erase('doomed');
    const [gone, there] = await Promise.all(
      ['doomed', 'spared'].map((callSid) => writer.report({ callSid, sighting: sightingNow('calling') })),
    );
    expect(gone).toBeNull();
    expect(there).toMatchObject({ state: { status: 'calling' } });
    expect(await rowsLeft(doomed)).toBe(0);
  });
});

async function waitingForLocks(): Promise<number> {
  const [row] = await test.query<{ waiting: number }>(
    `select count(*)::int as waiting from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return row?.waiting ?? -1;
}

describe.each(['in-process', 'bullmq'])('a followed call on the %s queue', (kind) => {
  let simulator: Simulator;
  let redis: TcpProxy;
  let running: Sidecar[];
  let url: string;

  beforeEach(async () => {
    simulator = await startSimulator({ token: FAST.POLYAI_AUTH_TOKEN });
    redis = await tcpProxy(inject('redisUrl'));
    running = [];
    // Longer than the test: nothing but the erasure ends it.
    if (kind === 'in-process') url = await start('serve', { LEASE_MS: '600000' });
    else {
      // Who erases is not who follows.
      await start('worker', { REDIS_URL: inject('redisUrl'), LEASE_MS: '300' });
      url = await start('api', { REDIS_URL: redis.url });
    }
  });

  afterEach(async () => {
    await Promise.all(running.map((sidecar) => sidecar.stop()));
    await redis.close();
    await simulator.stop();
  });

  async function start(role: Role, more: Record<string, string>): Promise<string> {
    const settings = { POLYAI_BASE_URL: simulator.url, DATABASE_URL: test.url };
    const config = readConfig(role, { ...FAST, ...FASTER, ...settings, ...more });
    const sidecar = await startSidecar({
      config,
      role,
      log,
      redisPrefix: new URL(test.url).pathname.slice(1),
    });
    running.push(sidecar);
    return sidecar.url ?? '';
  }

  const erase = async (callSid: string) =>
    (await fetch(`${url}/v1/calls/${callSid}`, { method: 'DELETE' })).status;
  const polls = (callSid: string) => simulator.journal.polls(callSid).length;

  async function follow(): Promise<string> {
    const callSid = simulator.place({ script: [{ status: 'calling', forMs: 0 }] });
    const polykeep = client(url);
    await polykeep.register(callSid);
    await expect.poll(async () => (await polykeep.call(callSid)).status).toBe('calling');
    return callSid;
  }

  /** How often the call was polled while another was a dozen times: longer than a lease. */
  async function pollsMeanwhile(callSid: string, other: string): Promise<number> {
    const [before, others] = [polls(callSid), polls(other)];
    await expect.poll(() => polls(other)).toBeGreaterThan(others + 12);
    return polls(callSid) - before;
  }

  it('is polled no more, at the latest when its lease has ended', async () => {
    const [doomed, other] = [await follow(), await follow()];
    const id = await idOf(doomed);
    expect(await rowsLeft(id)).toBeGreaterThan(1);
    expect(await erase(doomed)).toBe(204);
    await pollsMeanwhile(doomed, other);
    expect(await pollsMeanwhile(doomed, other)).toBe(0);
    expect(await rowsLeft(id)).toBe(0);
  });

  if (kind === 'in-process') return;

  it('can be erased while the queue is away', async () => {
    const [doomed, other] = [await follow(), await follow()];
    const id = await idOf(doomed);
    await redis.cut();
    expect(await erase(doomed)).toBe(204);
    await pollsMeanwhile(doomed, other);
    await redis.mend();
    expect(await pollsMeanwhile(doomed, other)).toBe(0);
    expect(await rowsLeft(id)).toBe(0);
  });
});
