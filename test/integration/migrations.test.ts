import { describe, expect, it, onTestFinished } from 'vitest';
import { migrateDatabase } from '../../src/archive/schema/migrations.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { listeningLog, silentLog } from '../support/log.ts';
import { openSession } from '../support/session.ts';
import { spawnSidecar } from '../support/sidecar.ts';
import { databaseAt, LEVELS } from '../upgrades/level.ts';

const MIGRATION_LOCK = 7_066_521_390;
/** Nobody makes a schema meanwhile. It takes no transaction id, which would hold up the feeds of other tests. */
const LOCK_SCHEMAS = 'lock table pg_namespace in share mode';
const [first = ''] = LEVELS;

async function database(making: Promise<TestDatabase>): Promise<TestDatabase> {
  const made = await making;
  onTestFinished(() => made.drop());
  return made;
}

const empty = () => database(createDatabase({ migrated: false }));
const oldest = () => database(databaseAt(first));

const tables = ({ query }: TestDatabase) =>
  query(`select from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`);

describe('migrations', () => {
  it('run by many processes at once are applied once, and told of once', async () => {
    const test = await empty();
    const { lines, log } = listeningLog();
    await Promise.all(Array.from({ length: 5 }, () => migrateDatabase(test.url, log)));
    const applied = await test.query('select hash from polykeep_internal.migrations');
    expect(applied).toHaveLength(LEVELS.length);
    expect(lines.flatMap(({ migration }) => migration ?? [])).toEqual(LEVELS);
  });

  it('wait for a process that migrates, say so once, and tell of nothing that it has done', async () => {
    const test = await empty();
    const other = await openSession(test, `select pg_advisory_lock(${MIGRATION_LOCK})`);
    const [{ pid } = { pid: 0 }] = (await other.query<{ pid: number }>('select pg_backend_pid() as pid'))
      .rows;
    const { lines, log } = listeningLog();
    const migrating = migrateDatabase(test.url, log);
    await expect.poll(() => lines).toHaveLength(1);
    expect(lines).toMatchObject([{ msg: 'waiting for another process that migrates', postgresPid: pid }]);
    await other.query('select pg_advisory_unlock_all()');
    await migrating;
    expect(lines.slice(1).map(({ migration }) => migration)).toEqual(LEVELS);
  });

  it('do not wait for ever, and name who is in the way', async () => {
    const test = await empty();
    await openSession(test, `select pg_advisory_lock(${MIGRATION_LOCK})`);
    await expect(migrateDatabase(test.url, silentLog, { freeWithinMs: 0 })).rejects.toMatchObject({
      code: 'migration_blocked',
      message: expect.stringMatching(/Postgres session \d+.*pg_terminate_backend\(\d+\)/),
    });
  });

  it('that have nothing to do need no lock', async () => {
    const test = await database(createDatabase());
    await openSession(test, `select pg_advisory_lock(${MIGRATION_LOCK})`);
    await migrateDatabase(test.url, silentLog, { freeWithinMs: 0 });
  });

  it('that wait for what others hold do so briefly, and try again', async () => {
    const test = await empty();
    const other = await openSession(test, 'begin', LOCK_SCHEMAS);
    const { lines, log } = listeningLog();
    const migrating = migrateDatabase(test.url, log);
    const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    await expect.poll(() => test.query(waiting)).toHaveLength(1);
    await expect.poll(() => lines.length).toBeGreaterThan(0);
    expect(lines).toMatchObject([{ msg: 'migration waits for a table that others use: trying again' }]);
    await other.query('rollback');
    await migrating;
    expect(lines.flatMap(({ migration }) => migration ?? [])).toEqual(LEVELS);
  });

  it('that do not get it in time are given up with a plain word, and have changed nothing', async () => {
    const test = await empty();
    await openSession(test, 'begin', LOCK_SCHEMAS);
    await expect(migrateDatabase(test.url, silentLog, { freeWithinMs: 0 })).rejects.toMatchObject({
      code: 'migration_blocked',
    });
    expect(await tables(test)).toEqual([]);
  });

  it('that fail say what Postgres said, and not the statement', async () => {
    const test = await empty();
    await test.query('create schema polykeep_internal; create table polykeep_internal.calls ()');
    await expect(migrateDatabase(test.url, silentLog)).rejects.toThrow(
      'the schema could not be brought up to date, and is as it was: relation "calls" already exists (42P07)',
    );
  });

  it('that wait for Postgres to answer say so once, with the server', async () => {
    const { lines, log } = listeningLog();
    const url = 'postgres://me:secret@127.0.0.1:1/nothing';
    const said = 'Postgres at 127.0.0.1:1 (database "nothing", user "me"): connect ECONNREFUSED 127.0.0.1:1';
    await expect(migrateDatabase(url, log, { answerWithinMs: 1_600 })).rejects.toThrow(said);
    expect(lines).toMatchObject([{ msg: 'Postgres does not answer yet', err: { message: said } }]);
  });

  it('are a command of their own, which tells what it has done', async () => {
    const test = await empty();
    const messages = async () => {
      const migrate = spawnSidecar({ DATABASE_URL: test.url }, 'migrate');
      expect(await migrate.exited).toBe(0);
      return migrate.log.map(({ msg, migration }) => migration ?? msg);
    };
    expect(await messages()).toEqual([...LEVELS, 'schema is up to date']);
    expect(await messages()).toEqual(['schema is up to date']);
  });

  it('leave no table, view or column without a comment', async () => {
    const test = await database(createDatabase());
    const silent = await test.query(
      `select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace in ('polykeep'::regnamespace, 'polykeep_internal'::regnamespace)
          and c.relkind in ('r', 'v') and a.attnum > 0 and not a.attisdropped
          and (col_description(c.oid, a.attnum) is null or obj_description(c.oid) is null)`,
    );
    expect(silent).toEqual([]);
  });
});

describe('a database whose encoding is not UTF8', () => {
  it.each(['LATIN1', 'SQL_ASCII'])(
    'is refused in plain words before anything is made in it: %s',
    async (encoding) => {
      const test = await database(createDatabase({ migrated: false, encoding }));
      await expect(migrateDatabase(test.url, silentLog)).rejects.toMatchObject({
        code: 'database_encoding',
        message: expect.stringContaining(encoding),
      });
      expect(await tables(test)).toEqual([]);
    },
  );

  it('is one plain line to who starts polykeep on it, also where its schema is there', async () => {
    const test = await database(createDatabase({ encoding: 'LATIN1' }));
    const serve = spawnSidecar({ DATABASE_URL: test.url, POLYAI_AUTH_TOKEN: 'token', PORT: '0' });
    expect(await serve.exited).toBe(1);
    expect(serve.stderr()).toMatch(/^polykeep: [^\n]*is LATIN1[^\n]*needs UTF8[^\n]*\n$/);
  });
});

describe('a database that is newer', () => {
  const NEWER = `insert into polykeep_internal.migrations (hash, created_at) values ('of a later version', 4e12)`;

  it('is refused, whether or not there is something to do', async () => {
    for (const test of [await oldest(), await database(createDatabase())]) {
      await test.query(NEWER);
      const before = await tables(test);
      await expect(migrateDatabase(test.url, silentLog)).rejects.toMatchObject({ code: 'newer_database' });
      expect(await tables(test)).toEqual(before);
    }
  });

  it.each(['serve', 'api', 'worker', 'migrate', 'export --output -', 'grant-reader somebody'])(
    'is one plain line to %s, and exit code 1',
    async (command) => {
      const test = await database(createDatabase());
      await test.query(NEWER);
      const environment = {
        DATABASE_URL: test.url,
        REDIS_URL: 'redis://127.0.0.1:1',
        POLYAI_AUTH_TOKEN: 'token',
        PORT: '0',
      };
      const process = spawnSidecar(environment, command.split(' '));
      expect(await process.exited).toBe(1);
      expect(process.stderr()).toMatch(/^polykeep: [^\n]*the database is newer than this polykeep[^\n]*\n$/);
      expect(process.log).toEqual([]);
    },
  );
});
