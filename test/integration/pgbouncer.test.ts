import { Client } from 'pg';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { openDatabase } from '../../src/archive/database.ts';
import { migrateDatabase } from '../../src/archive/schema/migrations.ts';
import { inTransaction } from '../../src/archive/transaction.ts';
import { readConfig } from '../../src/config/config.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { type Role, startSidecar } from '../../src/wiring/sidecar.ts';
import { client } from '../support/client.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { listeningLog } from '../support/log.ts';
import { followThrough } from '../support/many-calls.ts';
import { type PgBouncer, spawnPgBouncer } from '../support/pgbouncer.ts';
import { isOnPath } from '../support/redis-choice.ts';
import { FAST } from '../support/sidecar.ts';

let after: AsyncDisposableStack;
let database: TestDatabase;
let pooler: PgBouncer;
let told: ReturnType<typeof listeningLog>;

beforeEach(async ({ skip }) => {
  after = new AsyncDisposableStack();
  told = listeningLog();
  skip(!isOnPath('pgbouncer'), 'no pgbouncer on the PATH');
  database = await createDatabase();
  after.defer(() => database.drop());
  pooler = await spawnPgBouncer(inject('postgresUrl'));
  after.defer(() => pooler.stop());
});

afterEach(() => after.disposeAsync());

function openPooled() {
  const opened = openDatabase(pooler.urlOf(database.url), told.log, { isPooled: true });
  after.defer(() => opened.close());
  return opened;
}

it('200 calls are followed by way of it in transaction mode, and its restart costs none', async ({
  annotate,
}) => {
  const simulator = await startSimulator({ token: FAST.POLYAI_AUTH_TOKEN });
  after.defer(() => simulator.stop());
  const start = async (role: Role) => {
    const environment = {
      ...FAST,
      LEASE_MS: '3000',
      RETENTION_DAYS: '1',
      POLYAI_BASE_URL: simulator.url,
      DATABASE_URL: pooler.urlOf(database.url),
      DATABASE_DIRECT_URL: database.url,
      REDIS_URL: inject('redisUrl'),
    };
    const sidecar = await startSidecar({ config: readConfig(role, environment), role, log: told.log });
    after.defer(() => sidecar.stop());
    return sidecar.url ?? '';
  };
  const url = await start('api');
  await Promise.all([start('worker'), start('worker')]);
  const { lost, longestGapMs } = await followThrough(url, simulator, async (meanwhile) => {
    await meanwhile();
    await pooler.restart();
  });
  await annotate(`longest gap between two polls of a call: ${longestGapMs} ms`);
  expect(lost).toEqual([]);
  // What holds a lock meanwhile is on the server itself.
  expect(told.lines.filter(({ msg }) => /^(sweep|retention) failed/.test(msg))).toEqual([]);

  const polykeep = client(url);
  const waiting = simulator.place({ script: [{ status: 'queued', forMs: Infinity }] });
  await polykeep.register(waiting);
  const settled = polykeep.get(`/v1/calls/${waiting}?wait=30`);
  simulator.setStatus(waiting, 'success');
  expect(await settled).toMatchObject({ outcome: 'success' });
  const exported = await (await fetch(`${url}/v1/export`)).text();
  expect(exported.trim().split('\n').length).toBeGreaterThanOrEqual(201);
  const today = `registeredFrom=${new Date(Date.now() - 3_600_000).toISOString()}`;
  expect(await (await fetch(`${url}/v1/stats?${today}&bucket=hour`)).json()).toMatchObject({
    data: [{ outcomes: { success: 201 } }],
  });
});

it('each statement and transaction has its limits, and nothing of them is left behind', async () => {
  const { pool } = openPooled();
  const ask = `select current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock,
                      current_setting('idle_in_transaction_session_timeout') as idle`;
  const limits = { statement: '25s', lock: '5s', idle: '10s' };
  expect((await pool.query(ask)).rows).toEqual([limits]);
  const own = `begin; set local lock_timeout = '1s'`;
  expect((await inTransaction(pool, own, (client) => client.query(ask))).rows).toEqual([
    { ...limits, lock: '1s' },
  ]);
  await expect(pool.query('select pg_sleep(0), 1 / $1::int', [0])).rejects.toMatchObject({ code: '22012' });

  const others = new Client({ connectionString: pooler.urlOf(database.url) });
  await others.connect();
  after.defer(() => others.end());
  expect((await others.query(ask)).rows).toEqual([{ statement: '0', lock: '0', idle: '0' }]);
});

it('statements with a name are prepared on no connection that is not theirs', async () => {
  const { pool } = openPooled();
  const named = (n: number) =>
    pool.query<{ n: number }>({ name: `nth_${n % 3}`, text: `select $1::int + ${n % 3} as n`, values: [n] });
  const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => named(n)));
  expect(answers.map(({ rows }) => rows[0]?.n)).toEqual(Array.from({ length: 60 }, (_, n) => n + (n % 3)));
  expect(await database.query('select name from pg_prepared_statements')).toEqual([]);
});

it('a pooler in transaction mode is refused where locks are needed, and one in session mode is not', async () => {
  await expect(migrateDatabase(pooler.urlOf(database.url), told.log)).rejects.toMatchObject({
    code: 'transaction_pooler',
    message: expect.stringContaining('set DATABASE_DIRECT_URL'),
  });
  const sessions = await spawnPgBouncer(inject('postgresUrl'), 'session');
  after.defer(() => sessions.stop());
  await migrateDatabase(sessions.urlOf(database.url), told.log);
});
