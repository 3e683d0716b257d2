import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type Sidecar, startSidecar } from '../../src/wiring/sidecar.ts';
import { client } from '../support/client.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { faultyCalls } from '../support/faulty-calls.ts';
import { listeningLog, type ToldLine } from '../support/log.ts';
import { openSession } from '../support/session.ts';
import { FAST } from '../support/sidecar.ts';
import { type TcpProxy, tcpProxy } from '../support/tcp-proxy.ts';

const FASTER = { POLL_INTERVAL_MIN_MS: '50', POLL_INTERVAL_MAX_MS: '100', LEASE_MS: '3000' };
/** Three times as many take longer than a lease, however fast they follow each other. */
const MANY_POLLS = 30;
/** A promise is for 10 s more than its lease, and for 10 s where the call is between two leases. */
const IN_A_LEASE = "followed_until > now() + interval '12 s'";
/** More reports of one call than these do not wait for Postgres (MAX_UNWRITTEN), but for one that was on its way. */
const WAITING_AT_MOST = 52;

let simulator: Simulator;
let database: TestDatabase;
let way: TcpProxy;
let sidecar: Sidecar;
let lines: ToldLine[];
let reading: NodeJS.Timeout | undefined;

beforeEach(async () => {
  simulator = await startSimulator({ token: FAST.POLYAI_AUTH_TOKEN, style: 'mid-2026' });
  database = await createDatabase();
  way = await tcpProxy(database.url);
  const environment = { ...FAST, ...FASTER, POLYAI_BASE_URL: simulator.url, DATABASE_URL: way.url };
  const told = listeningLog('debug');
  lines = told.lines;
  const { log } = told;
  sidecar = await startSidecar({ config: readConfig('serve', environment), role: 'serve', log });
});

afterEach(async () => {
  clearInterval(reading);
  await sidecar.stop();
  await way.close();
  await simulator.stop();
  await database.drop();
});

const polykeep = () => client(sidecar.url ?? '');

/** As clients do: what is not answered is asked again. */
function readAllTheTime(callSid: string, everyMs: number): void {
  reading = setInterval(
    () =>
      void polykeep()
        .get(`/v1/calls/${callSid}`)
        .catch(() => {}),
    everyMs,
  );
}

const pollsOf = (callSid: string) => simulator.journal.polls(callSid).length;

/** A call that is followed, and known to be queued. */
async function follow(): Promise<string> {
  const callSid = simulator.place({ script: [{ status: 'queued', forMs: Infinity }] });
  await polykeep().register(callSid);
  await expect.poll(async () => (await polykeep().call(callSid)).status).toBe('queued');
  return callSid;
}

/** A call that is between two leases waits for Postgres before it is polled again. */
async function cutInALease(): Promise<void> {
  await expect
    .poll(() => database.query(`select from polykeep_internal.unsettled where not ${IN_A_LEASE}`))
    .toEqual([]);
  await way.cut();
}

describe('while Postgres is away', () => {
  it('the log says so once, and once when it is back, whoever asks and whatever needs it', async () => {
    const told = () => lines.filter(({ level }) => level !== 'debug').map(({ msg }) => msg);
    const ofPostgres = () => told().filter((msg) => /Postgres|fail|again|cannot/.test(msg));
    await way.cut();
    for (let n = 0; n < 20; n++) await polykeep().get('/v1/calls');
    // What upkeep needs it for, each at its own time.
    for (const part of ['sweep', 'rollups']) {
      await expect.poll(() => lines).toContainEqual(expect.objectContaining({ msg: `${part} failed` }));
    }
    expect(ofPostgres()).toEqual(['Postgres takes no writes']);
    await way.mend();
    await expect.poll(ofPostgres).toEqual(['Postgres takes no writes', 'Postgres takes writes again']);
  });

  it('followers go on, over the end of their lease, and write what they saw when it is back, in order', async () => {
    const callSid = await follow();
    await cutInALease();
    for (const status of ['calling', 'in-progress', 'odd', 'success']) {
      simulator.setStatus(callSid, status);
      await expect.poll(() => simulator.journal.shownStatuses(callSid).at(-1)).toBe(status);
      const polls = pollsOf(callSid);
      if (status !== 'success') await expect.poll(() => pollsOf(callSid)).toBeGreaterThan(polls + MANY_POLLS);
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
    const [callSid = '', steady = ''] = await Promise.all([follow(), follow()]);
    await cutInALease();
    let flaps = 0;
    const flapping = setInterval(() => simulator.setStatus(callSid, `flap-${flaps++}`), 20);
    /** How often the call is polled while the other one goes on to be. */
    const pollsMeanwhile = async () => {
      const [mine, others] = [pollsOf(callSid), pollsOf(steady)];
      await expect.poll(() => pollsOf(steady)).toBeGreaterThan(others + MANY_POLLS);
      return pollsOf(callSid) - mine;
    };
    try {
      while ((await pollsMeanwhile()) > 0);
    } finally {
      clearInterval(flapping);
    }
    const shown = simulator.journal.shownStatuses(callSid).filter((status) => status !== 'queued');
    expect(shown.length).toBeGreaterThan(WAITING_AT_MOST / 2);
    expect(shown.length).toBeLessThanOrEqual(WAITING_AT_MOST);
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

describe('after a failover of Postgres that kept the connections', () => {
  it('each is left at the first refusal: what followers see is written within seconds, under steady load', async () => {
    const callSids = Array.from({ length: 20 }, () =>
      simulator.place({ script: [{ status: 'queued', forMs: Infinity }] }),
    );
    for (const callSid of callSids) await polykeep().register(callSid);
    readAllTheTime(callSids[0] ?? '', 20);
    await expect.poll(async () => (await polykeep().call(callSids[19] ?? '')).status).toBe('queued');
    // Only whoever connects anew reaches the new primary.
    const isOld = `(select backend_start from pg_stat_activity where pid = pg_backend_pid()) < '${new Date().toISOString()}'`;
    await faultyCalls(database).fail('25006', isOld);
    for (const callSid of callSids) simulator.setStatus(callSid, 'success');
    const settled = () => database.query(`select from polykeep.calls where outcome = 'success'`);
    await expect.poll(settled, { timeout: 5_000 }).toHaveLength(20);
    await expect.poll(() => polykeep().get('/health/ready')).toMatchObject({ status: 'ok' });
  });
});

describe('while Postgres answers and does not work', () => {
  it('a locked table: not ready within 20 s, no more connections than told, and ready again soon after', async () => {
    const callSid = simulator.place({ script: [{ status: 'queued', forMs: Infinity }] });
    await polykeep().register(callSid);
    await expect.poll(async () => (await polykeep().call(callSid)).status).toBe('queued');
    const other = await openSession(
      database,
      'begin',
      'lock table polykeep_internal.calls in access exclusive mode',
    );
    const since = performance.now();
    readAllTheTime(callSid, 200);
    simulator.setStatus(callSid, 'success');
    await expect
      .poll(() => polykeep().get('/health/ready'))
      .toMatchObject({ status: 'unavailable', parts: { postgres: 'down' } });
    expect(performance.now() - since).toBeLessThan(20_000);
    const [{ count } = { count: 0 }] = await database.query<{ count: number }>(
      `select count(*)::int from pg_stat_activity where datname = current_database() and application_name like 'polykeep%'`,
    );
    expect(count).toBeLessThanOrEqual(16);
    simulator.forget(callSid);
    await other.query('commit');
    await expect
      .poll(() => polykeep().get('/health/ready'), { timeout: 10_000 })
      .toMatchObject({ status: 'ok' });
    await expect.poll(async () => (await polykeep().call(callSid)).outcome).toBe('success');
  });
});
