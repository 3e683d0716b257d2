import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { request } from 'undici';
import { startEmbeddedPostgres } from '../src/embedded-postgres/embedded-postgres.ts';
import { client } from '../test/support/client.ts';
import { MAIN } from '../test/support/command-line.ts';
import { spawnRedisServer } from '../test/support/redis-server.ts';
import { type SidecarProcess, spawnSidecar } from '../test/support/sidecar.ts';

/**
 * What polykeep takes: `node bench/sizing.ts [--calls 1000,5000,20000] [--settle 80] [--seconds 60] [--lives 5000] [--idle 150]`.
 * An api that registers, a serve that follows, the simulator, a Postgres and a Redis, each a process of its own. Prints
 * a line of JSON for the idle processes, one for so many calls that never end, followed at the default intervals, and
 * one for so many calls from registration to their end (queued 10 s, calling 60 s). CPU is what /proc counts for the
 * processes, so that others on the machine do not matter; polls are those of /metrics. Linux only.
 */
const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '1000,5000,20000' },
    settle: { type: 'string', default: '80' },
    seconds: { type: 'string', default: '60' },
    lives: { type: 'string', default: '5000' },
    idle: { type: 'string', default: '150' },
  },
});
const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
const TOKEN = `bench-${randomUUID()}`;
const PLACE_AT_ONCE = 50;

await using running = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), 'polykeep-sizing-'));
// Its server is another user's where we are root.
await chmod(folder, 0o755);
running.defer(() => rm(folder, { recursive: true, force: true }));
const postgres = await startEmbeddedPostgres({ dataDir: join(folder, 'data'), log: () => {} });
running.defer(() => postgres.stop());
const redisServer = await spawnRedisServer();
running.defer(() => redisServer.stop());
const redis = new Redis(redisServer.url);
running.defer(() => redis.disconnect());
const sql = new Client({ connectionString: postgres.url, application_name: 'bench' });
await sql.connect();
running.defer(() => sql.end());
const postmaster = Number(
  (await readFile(join(folder, 'data/postgres/postmaster.pid'), 'utf8')).split('\n')[0],
);

const shared = {
  POLYAI_AUTH_TOKEN: TOKEN,
  PORT: '0',
  DATABASE_URL: postgres.url,
  REDIS_URL: redisServer.url,
  // As for a limit of the heap.
  ...(process.env.NODE_OPTIONS === undefined ? {} : { NODE_OPTIONS: process.env.NODE_OPTIONS }),
};

if (Number(values.idle) > 0) await idle();
for (const calls of values.calls.split(',').filter(Boolean)) await steady(Number(calls));
if (Number(values.lives) > 0) await wholeLives(Number(values.lives));

async function idle(): Promise<void> {
  await withSidecars('queued:1000', async ({ api, follower }) => {
    const worker = spawnSidecar(shared, 'worker');
    const alone = spawnSidecar({ POLYAI_AUTH_TOKEN: TOKEN, PORT: '0', DATA_DIR: join(folder, 'alone') });
    await alone.url();
    await sleep(Number(values.idle) * 1000);
    const pids = [api, worker, follower, alone].map((process) => process.process.pid ?? 0);
    const [apiMb, workerMb, serveMb, aloneMb] = await Promise.all(pids.map(rssMb));
    tell({
      what: 'idle',
      apiMb,
      workerMb,
      serveMb,
      aloneMb,
      redisConnectionsOfThree: `${await redis.client('LIST')}`.trim().split('\n').length - 1,
      connections: await connections(),
    });
    await Promise.all([worker.end('SIGTERM'), alone.end('SIGTERM')]);
  });
}

async function steady(calls: number): Promise<void> {
  await withSidecars(`queued:${1e12}`, async (sidecars) => {
    const redisBefore = await redisBytes();
    await place(sidecars, calls);
    await sleep(Number(values.settle) * 1000);
    const before = await usage(sidecars);
    await sleep(Number(values.seconds) * 1000);
    const after = await usage(sidecars);
    const seconds = (after.at - before.at) / 1000;
    const polls = after.polls - before.polls;
    tell({
      what: 'steady',
      calls,
      pollsPerSecond: polls / seconds,
      secondsBetweenPolls: (calls * seconds) / polls,
      followerMicrosPerPoll: ((after.followerSeconds - before.followerSeconds) / polls) * 1e6,
      postgresMicrosPerPoll: ((after.postgresSeconds - before.postgresSeconds) / polls) * 1e6,
      redisMicrosPerPoll: ((after.redisSeconds - before.redisSeconds) / polls) * 1e6,
      followerMb: await rssMb(sidecars.follower.process.pid ?? 0),
      apiMb: await rssMb(sidecars.api.process.pid ?? 0),
      redisBytesPerCall: ((await redisBytes()) - redisBefore) / calls,
      connections: await connections(),
    });
  });
}

async function wholeLives(calls: number): Promise<void> {
  await withSidecars('queued:10000,calling:60000,success', async (sidecars) => {
    const before = { ...(await usage(sidecars)), wal: await walBytes() };
    await place(sidecars, calls);
    while (
      (await one<{ open: number }>('select count(*)::int as open from polykeep_internal.unsettled')).open
    )
      await sleep(1_000);
    await sleep(10_000);
    const after = { ...(await usage(sidecars)), wal: await walBytes() };
    tell({
      what: 'whole lives',
      calls,
      pollsPerCall: (after.polls - before.polls) / calls,
      followerMillisPerCall: ((after.followerSeconds - before.followerSeconds) / calls) * 1e3,
      postgresMillisPerCall: ((after.postgresSeconds - before.postgresSeconds) / calls) * 1e3,
      walBytesPerCall: (after.wal - before.wal) / calls,
      ...(await hotUpdates()),
      connections: await connections(),
    });
  });
}

interface Sidecars {
  api: SidecarProcess;
  follower: SidecarProcess;
  simulatorUrl: string;
}

async function withSidecars(life: string, work: (sidecars: Sidecars) => Promise<void>): Promise<void> {
  const simulator = spawn(
    process.execPath,
    [MAIN, 'simulate', '--port', '0', '--token', TOKEN, '--life', life],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const simulatorUrl = await urlOf(simulator);
  const environment = { ...shared, POLYAI_BASE_URL: simulatorUrl };
  const api = spawnSidecar(environment, 'api');
  const follower = spawnSidecar(environment);
  await Promise.all([api.url(), follower.url()]);
  await work({ api, follower, simulatorUrl });
  await Promise.all([api.end('SIGTERM'), follower.end('SIGTERM')]);
  simulator.kill();
  await redis.flushall();
  await sql.query(
    'truncate polykeep_internal.calls, polykeep_internal.unsettled, polykeep_internal.transitions',
  );
}

async function urlOf(simulator: ChildProcess): Promise<string> {
  if (simulator.stdout === null) throw new Error('no output');
  const [line]: string[] = await once(createInterface(simulator.stdout), 'line');
  return /http:\S+/.exec(line ?? '')?.[0] ?? '';
}

async function place({ api, simulatorUrl }: Sidecars, calls: number): Promise<void> {
  const polykeep = client(await api.url());
  for (let placed = 0; placed < calls; placed += PLACE_AT_ONCE) {
    const bodies = await Promise.all(Array.from({ length: PLACE_AT_ONCE }, () => trigger(simulatorUrl)));
    await polykeep.post('/v1/calls/batch', { calls: bodies });
  }
}

async function trigger(simulatorUrl: string): Promise<unknown> {
  const { body } = await request(`${simulatorUrl}/v1/outbound-calling`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-polyai-auth-token': TOKEN },
    body: JSON.stringify({ to_number: '+15551234567' }),
  });
  return body.json();
}

async function usage({ follower }: Sidecars) {
  const metrics = await (await request(`${await follower.url()}/metrics`)).body.text();
  return {
    at: performance.now(),
    polls: Number(/^polykeep_polls_total\{.*result="status".*\} (\d+)/m.exec(metrics)?.[1] ?? 0),
    followerSeconds: await cpuSeconds(follower.process.pid ?? 0),
    postgresSeconds: await postgresCpuSeconds(),
    redisSeconds: await cpuSeconds(redisServer.process.pid ?? 0),
  };
}

/** Of the process, and of its children that it has waited for. */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // After the name, which may hold spaces: state is the first field, utime the 12th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return ticks / TICKS_PER_SECOND;
}

async function postgresCpuSeconds(): Promise<number> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0);
  const parents = await Promise.all(pids.map(parentOf));
  const own = pids.filter((pid, index) => pid === postmaster || parents[index] === postmaster);
  const seconds = await Promise.all(own.map(cpuSeconds));
  return seconds.reduce((sum, part) => sum + part, 0);
}

async function parentOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

async function rssMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
}

async function redisBytes(): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);
}

/** Which part of the updates of a call's row touched no index. */
async function hotUpdates(): Promise<{ hotPercent: number }> {
  return one<{ hotPercent: number }>(`
    select n_tup_hot_upd::float8 * 100 / n_tup_upd as "hotPercent"
      from pg_stat_user_tables where schemaname = 'polykeep_internal' and relname = 'calls'`);
}

async function walBytes(): Promise<number> {
  const { bytes } = await one<{ bytes: string }>(`select pg_current_wal_lsn() - '0/0' as bytes`);
  return Number(bytes);
}

async function connections(): Promise<Record<string, number>> {
  const { rows } = await sql.query<{ name: string; count: number }>(
    `select application_name as name, count(*)::int from pg_stat_activity
      where backend_type = 'client backend' group by 1 order by 1`,
  );
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
}

async function one<Row extends object>(text: string): Promise<Row> {
  const [row] = (await sql.query<Row>(text)).rows;
  if (row === undefined) throw new Error('no row');
  return row;
}

function tell(line: Record<string, unknown>): void {
  const rounded = Object.entries(line).map(([key, value]) => [
    key,
    typeof value === 'number' ? Number(value.toFixed(1)) : value,
  ]);
  console.log(JSON.stringify(Object.fromEntries(rounded)));
}
