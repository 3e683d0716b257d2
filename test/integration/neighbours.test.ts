import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/archive/database.ts';
import { createArchiveHealth } from '../../src/archive/health.ts';
import { archiveId } from '../../src/archive/identity.ts';
import { createUnsettledCalls } from '../../src/archive/read/unsettled.ts';
import { migrateDatabase } from '../../src/archive/schema/migrations.ts';
import { createEraser } from '../../src/archive/write/eraser.ts';
import { createRegistrar } from '../../src/archive/write/registrar.ts';
import { createWriter } from '../../src/archive/write/writer.ts';
import { systemClock } from '../../src/clock.ts';
import { createRetention } from '../../src/upkeep/retention.ts';
import { createSweeper } from '../../src/upkeep/sweeper.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { silentLog as log } from '../support/log.ts';
import { noMetrics } from '../support/metrics.ts';
import { spawnSidecar } from '../support/sidecar.ts';
import { sightingNow } from '../support/sighting.ts';

/** polykeep in a database that others use too, by a role that is set up for them. */

let test: TestDatabase;
let role: string;
let url: string;

beforeEach(async () => {
  test = await createDatabase({ migrated: false });
  role = `role_of_${name()}`;
  await test.query(`create role ${role} login password 'secret'`);
  url = Object.assign(new URL(test.url), { username: role, password: 'secret' }).href;
});

afterEach(async () => {
  await test.query(`drop owned by ${role}`);
  await test.query(`drop role ${role}`);
  await test.drop();
});

const name = () => new URL(test.url).pathname.slice(1);
const mayCreate = () => test.query(`grant create on database ${name()} to ${role}`);

/** Everything that polykeep writes, by the role. */
async function liveThroughAll(): Promise<void> {
  await migrateDatabase(url, log);
  await archiveId(url);
  const { pool, close } = openDatabase(url, log);
  try {
    const writer = createWriter({ pool, metrics: noMetrics, log });
    const register = (...callSids: string[]) =>
      createRegistrar(pool).registerAll(
        callSids.map((callSid) => ({ callSid, account: 'default', metadata: {} })),
      );
    await register('first', 'second', 'third');
    await writer.report({ callSid: 'first', sighting: sightingNow('queued'), followForMs: 60_000 });
    await writer.report({ callSid: 'first', sighting: sightingNow('queued', 'a reason') });
    await writer.report({ callSid: 'first', sighting: sightingNow('success') });
    await writer.report({ callSid: 'second', conclusion: { outcome: 'lost', at: new Date() } });
    await register('second');
    expect(await createArchiveHealth({ pool, writer, log }).check()).toBe(true);
    expect(await createUnsettledCalls(pool, []).read()).toMatchObject([{ account: 'default', count: 2 }]);
    const swept: string[] = [];
    const upkeep = { pool, everyMs: 1, clock: systemClock, log };
    const requeue = async (callSids: readonly string[]) => void swept.push(...callSids);
    await createSweeper({
      ...upkeep,
      requeue,
      longestPromiseMs: 600_000,
      patienceMs: 1,
      alone: false,
      metrics: noMetrics,
    }).sweep();
    expect(swept.sort()).toEqual(['second', 'third']);
    expect(await createEraser(pool).erase('third')).toBe(true);
    const retention = createRetention({ ...upkeep, retentionDays: 1 });
    expect(await retention.deleteExpired(new AbortController().signal)).toBe(0);
  } finally {
    await close();
  }
}

const archived = () =>
  test.query(`select call_sid, status, outcome, reason from polykeep.calls order by call_sid`);
const ARCHIVED = [
  { call_sid: 'first', status: 'success', outcome: 'success', reason: null },
  { call_sid: 'second', status: null, outcome: null, reason: null },
];

describe.each([
  ['of the role', (path: string) => `alter role ${role} set search_path = ${path}`],
  ['of the database', (path: string) => `alter database ${name()} set search_path = ${path}`],
])('a search_path %s', (_, setting) => {
  it.each([`''`, 'elsewhere', '"$user", public, pg_temp', 'polykeep_internal', 'public, pg_catalog'])(
    'that is %s does no harm',
    async (path) => {
      await test.query(setting(path));
      await mayCreate();
      await liveThroughAll();
      expect(await archived()).toEqual(ARCHIVED);
    },
  );
});

it('another application’s tables of the same names, and its migrations by Drizzle, stay as they are', async () => {
  const theirs = [
    'accounts',
    'archive',
    'calls',
    'outcomes',
    'statuses',
    'transitions',
    'unsettled',
    'migrations',
  ];
  await test.query(`create schema drizzle; create schema ${role}`);
  await test.query(`grant usage on schema ${role} to ${role}`);
  for (const schema of ['public', role]) {
    for (const table of theirs) {
      await test.query(`create table ${schema}.${table} (theirs text)`);
      await test.query(`insert into ${schema}.${table} values ('stays')`);
      await test.query(`grant all on ${schema}.${table} to ${role}`);
    }
  }
  await test.query(
    `create table drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)`,
  );
  await test.query(`insert into drizzle.__drizzle_migrations (hash, created_at) values ('theirs', 4e12)`);
  await mayCreate();
  await liveThroughAll();
  expect(await archived()).toEqual(ARCHIVED);
  for (const schema of ['public', role]) {
    for (const table of theirs)
      expect(await test.query(`select * from ${schema}.${table}`)).toEqual([{ theirs: 'stays' }]);
  }
  expect(await test.query('select hash from drizzle.__drizzle_migrations')).toEqual([{ hash: 'theirs' }]);
});

describe('a role that may not create', () => {
  it('gets Postgres’ own words in one line, and what to grant; with that it may', async () => {
    const serve = spawnSidecar({ DATABASE_URL: url, POLYAI_AUTH_TOKEN: 'token', PORT: '0' });
    expect(await serve.exited).toBe(1);
    const grant = `grant create on database ${name()} to ${role}`;
    expect(serve.stderr()).toBe(
      `polykeep: DATABASE_URL: permission denied for database ${name()}: polykeep makes schemas of its own in it: ${grant}\n`,
    );
    await expect(migrateDatabase(url, log)).rejects.toMatchObject({ code: 'migration_denied' });
    await test.query(grant);
    await migrateDatabase(url, log);
    expect(await archived()).toEqual([]);
  });

  it('is told whose the tables are, where they are another’s', async () => {
    await test.query(`create schema polykeep_internal`);
    await test.query(`grant usage on schema polykeep_internal to ${role}`);
    await mayCreate();
    await expect(migrateDatabase(url, log)).rejects.toMatchObject({
      code: 'migration_denied',
      message: expect.stringMatching(
        `^permission denied for schema polykeep_internal: the tables are those of the role \\w+: migrate as that one, or grant \\w+ to ${role}$`,
      ),
    });
  });

  it('needs no such right where nothing is to be done', async () => {
    await mayCreate();
    await migrateDatabase(url, log);
    await test.query(`revoke create on database ${name()} from ${role}`);
    await migrateDatabase(url, log);
  });
});
