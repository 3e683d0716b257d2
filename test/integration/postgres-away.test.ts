import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type Sidecar, startSidecar } from '../../src/wiring/sidecar.ts';
import { client } from '../support/client.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { silentLog as log } from '../support/log.ts';
import { FAST } from '../support/sidecar.ts';
import { type TcpProxy, tcpProxy } from '../support/tcp-proxy.ts';

let simulator: Simulator;
let database: TestDatabase;
let way: TcpProxy;
let sidecar: Sidecar;

beforeEach(async () => {
  simulator = await startSimulator({ token: FAST.POLYAI_AUTH_TOKEN, style: 'mid-2026' });
  database = await createDatabase();
  way = await tcpProxy(database.url);
  const environment = { ...FAST, POLYAI_BASE_URL: simulator.url, DATABASE_URL: way.url, LEASE_MS: '1000' };
  sidecar = await startSidecar({ config: readConfig('serve', environment), role: 'serve', log });
});

afterEach(async () => {
  await sidecar.stop();
  await way.close();
  await simulator.stop();
  await database.drop();
});

const polykeep = () => client(sidecar.url ?? '');
const pollsOf = (callSid: string) => simulator.journal.polls(callSid).length;

describe('while Postgres is away', () => {
  it('followers go on, over the end of their lease, and write what they saw when it is back, in order', async () => {
    const callSid = simulator.place({ script: [{ status: 'queued', forMs: Infinity }] });
    await polykeep().register(callSid);
    await expect.poll(async () => (await polykeep().call(callSid)).status).toBe('queued');
    await way.cut();
    for (const status of ['calling', 'in-progress', 'odd', 'success']) {
      simulator.setStatus(callSid, status);
      await expect.poll(() => simulator.journal.shownStatuses(callSid).at(-1)).toBe(status);
      // Longer than a lease each time.
      const polls = pollsOf(callSid);
      if (status !== 'success') await expect.poll(() => pollsOf(callSid)).toBeGreaterThan(polls + 4);
    }
    // PolyAI forgets it before Postgres is back.
    simulator.forget(callSid);
    await way.mend();

    await expect
      .poll(async () => await polykeep().get(`/v1/calls/${callSid}`))
      .toMatchObject({
        outcome: 'success',
      });
    const call = await polykeep().call(callSid);
    expect(call.transitions.map(({ seq, status }) => `${seq} ${status}`)).toEqual([
      '1 queued',
      '2 calling',
      '3 in-progress',
      '4 odd',
      '5 success',
    ]);
    expect(call).toMatchObject({ polls: pollsOf(callSid), failedPolls: 0 });
    const times = call.transitions.map(({ observedAt }) => observedAt);
    expect(times).toEqual([...times].sort());
  });

  it('a flapping status does not fill the memory: polling waits, and nothing that was seen is lost', async () => {
    const callSid = simulator.place({ script: [{ status: 'queued', forMs: Infinity }] });
    await polykeep().register(callSid);
    await expect.poll(async () => (await polykeep().call(callSid)).status).toBe('queued');
    await way.cut();
    let flaps = 0;
    const flapping = setInterval(() => simulator.setStatus(callSid, `flap-${flaps++}`), 20);
    try {
      let before = -1;
      await expect
        .poll(
          () => {
            const still = before === pollsOf(callSid);
            before = pollsOf(callSid);
            return still;
          },
          { interval: 3_000 },
        )
        .toBe(true);
    } finally {
      clearInterval(flapping);
    }
    expect(pollsOf(callSid)).toBeLessThan(70);
    await way.mend();
    simulator.setStatus(callSid, 'failure');
    await expect
      .poll(async () => await polykeep().get(`/v1/calls/${callSid}`))
      .toMatchObject({ outcome: 'failure' });
    const { transitions } = await polykeep().call(callSid);
    expect(transitions.map(({ status }) => status)).toEqual(simulator.journal.shownStatuses(callSid));
  });

  it('reads and registrations answer 503 with Retry-After, nothing half done; then all is as before', async () => {
    await way.cut();
    for (const answer of [
      await polykeep().post('/v1/calls', { callSid: 'half' }),
      await polykeep().post('/v1/calls/batch', { calls: [{ callSid: 'half' }, { callSid: 'done' }] }),
    ]) {
      expect(answer).toMatchObject({ status: 503, body: { code: 'archive_unavailable' } });
    }
    expect(await polykeep().get('/v1/calls/half')).toMatchObject({ status: 503 });
    expect(await polykeep().get('/health/ready')).toMatchObject({
      status: 'unavailable',
      parts: { postgres: 'down' },
    });

    await way.mend();
    await expect.poll(() => polykeep().get('/health/ready')).toMatchObject({ status: 'ok' });
    expect(await polykeep().get('/v1/calls/half')).toMatchObject({ code: 'call_not_found' });
    expect(await polykeep().register('half')).toMatchObject({ status: 201 });
  });
});
