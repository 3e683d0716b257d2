import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import { openDatabase } from '../../src/archive/database.ts';
import { type ArchiveHealth, createArchiveHealth } from '../../src/archive/health.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { listeningLog, silentLog } from '../support/log.ts';
import { openSession } from '../support/session.ts';

const TOLD = ['Postgres takes no writes', 'Postgres takes writes again'];

let test: TestDatabase;
let lines: ReturnType<typeof listeningLog>['lines'];

beforeEach(async () => {
  test = await createDatabase();
});

afterEach(() => test.drop());

const name = () => new URL(test.url).pathname.slice(1);

/** Of a process that reaches the database by this URL, looked at all the time. */
function healthBy(url = test.url, writer = { isAway: false }): ArchiveHealth {
  const listening = listeningLog();
  ({ lines } = listening);
  const { pool, close } = openDatabase(url, silentLog);
  const health = createArchiveHealth({ pool, writer, log: listening.log, everyMs: 100 });
  health.start();
  onTestFinished(() => {
    health.stop();
    return close();
  });
  return health;
}

it('a Postgres that takes writes is up, and nothing is said of it', async () => {
  const health = healthBy();
  expect(await health.check()).toBe(true);
  expect(lines).toEqual([]);
});

it.each(['calls', 'transitions', 'unsettled'])(
  'one whose table %s is locked is down within 10 s',
  async (table) => {
    const health = healthBy();
    expect(await health.check()).toBe(true);
    const other = await openSession(
      test,
      'begin',
      `lock table polykeep_internal.${table} in access exclusive mode`,
    );
    const since = performance.now();
    await expect.poll(() => health.isUp).toBe(false);
    expect(performance.now() - since).toBeLessThan(10_000);
    await other.query('commit');
    await expect.poll(() => health.isUp).toBe(true);
    expect(lines.map(({ msg }) => msg)).toEqual(TOLD);
  },
);

it('one that is read only is down, and up when it takes writes', async () => {
  await test.query(`alter database ${name()} set default_transaction_read_only = on`);
  const health = healthBy();
  expect(await health.check()).toBe(false);
  const other = await openSession(test, 'set default_transaction_read_only = off');
  await other.query(`alter database ${name()} reset default_transaction_read_only`);
  await expect.poll(() => health.isUp).toBe(true);
  expect(lines.map(({ msg }) => msg)).toEqual(TOLD);
});

it('one where the role lost a right is down, and told of once', async () => {
  const role = `role_of_${name()}`;
  await test.query(`create role ${role} login password 'secret'`);
  await test.query(`grant usage on schema polykeep_internal to ${role}`);
  await test.query(
    `grant select, insert, update, delete on all tables in schema polykeep_internal to ${role}`,
  );
  const health = healthBy(Object.assign(new URL(test.url), { username: role, password: 'secret' }).href);
  expect(await health.check()).toBe(true);
  await test.query(`revoke insert on polykeep_internal.transitions from ${role}`);
  await expect.poll(() => health.isUp).toBe(false);
  await test.query(`grant insert on polykeep_internal.transitions to ${role}`);
  await expect.poll(() => health.isUp).toBe(true);
  expect(lines.map(({ msg }) => msg)).toEqual(TOLD);
  await test.query(`drop owned by ${role}`);
  await test.query(`drop role ${role}`);
});

it('one that refuses what is really written, as with a full disk, is down', async () => {
  const health = healthBy(test.url, { isAway: true });
  expect(await health.check()).toBe(false);
  expect(health.isUp).toBe(false);
});
