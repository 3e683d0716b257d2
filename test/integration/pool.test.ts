import { kill } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { answering } from '../../src/archive/database.ts';
import { ArchivePool } from '../../src/archive/pool.ts';
import { USUAL_LIMITS } from '../../src/archive/session.ts';
import { storeCalls } from '../support/calls.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { openSession } from '../support/session.ts';

const MAX = 3;
const LIMITS = { ...USUAL_LIMITS, statementMs: 1_200, lockMs: 400, answerMs: 1_500 };

let test: TestDatabase;
let pool: ArchivePool;

beforeAll(async () => {
  test = await createDatabase();
  await storeCalls(test, [{ callSid: 'one' }]);
});

beforeEach(() => {
  pool = new ArchivePool(test.url, { max: MAX, limits: LIMITS });
  pool.on('error', () => {});
  onTestFinished(() => pool.end());
});

afterAll(() => test.drop());

async function pidOf(query: Promise<{ rows: { pid: number }[] }>): Promise<number> {
  return (await query).rows[0]?.pid ?? 0;
}

const pid = () => pidOf(pool.query('select pg_backend_pid() as pid'));
const SESSIONS = `select pid, extract(epoch from clock_timestamp() - query_start)::float8 as seconds, wait_event_type
                    from pg_stat_activity where datname = current_database() and application_name = 'polykeep'`;
const sessions = () => test.query<{ pid: number; seconds: number; wait_event_type: string | null }>(SESSIONS);

/** The most sessions that there were at a time, looked at again and again until the work is done. */
async function mostSessions(work: Promise<unknown>): Promise<number> {
  let isDone = false;
  let most = 0;
  const watching = (async () => {
    while (!isDone) most = Math.max(most, (await sessions()).length);
  })();
  await work.finally(() => {
    isDone = true;
  });
  await watching;
  return most;
}

describe('a statement that cannot be done', () => {
  it('ends on the server too, and no more connections are made for those that come', async () => {
    const other = await openSession(
      test,
      'begin',
      'lock table polykeep_internal.calls in access exclusive mode',
    );
    const reads: Promise<unknown>[] = [];
    const most = await mostSessions(
      (async () => {
        for (let n = 0; n < 20; n++) {
          reads.push(answering(pool.query('select from polykeep_internal.calls')).catch(({ code }) => code));
          await sleep(100);
          for (const { seconds } of (await sessions()).filter((s) => s.wait_event_type === 'Lock'))
            expect(seconds).toBeLessThan(1);
        }
      })(),
    );
    expect(most).toBeLessThanOrEqual(MAX);
    expect(new Set(await Promise.all(reads))).toEqual(new Set(['archive_unavailable']));
    await other.query('commit');
    expect((await pool.query('select from polykeep_internal.calls')).rowCount).toBe(1);
  });

  it.each([
    ['a value that Postgres refuses', `select 'x'::int`, true],
    ['the time-out of a lock', 'update polykeep_internal.calls set polls = polls', true],
    ['the time-out of a statement', 'select pg_sleep(9)', true],
    ['a table that is not there', 'select from nowhere', false],
    ['a session that is ended', 'select pg_terminate_backend(pg_backend_pid())', false],
    ['a lack of memory', `do $$ begin raise exception using errcode = '53200'; end $$`, false],
    ['a transaction that stays open', 'begin', false],
  ])('by %s: the connection is kept or closed as it is fit or not', async (_, statement, isKept) => {
    const other = await openSession(test, 'begin', 'lock table polykeep_internal.calls in share mode');
    const before = await pid();
    await pool.query(statement).catch(() => {});
    await other.query('commit');
    expect((await pid()) === before).toBe(isKept);
  });
});

describe('a server process that hangs', () => {
  it('holds up only who had it; there are no more than one connection beyond the most, and all are free again', async () => {
    const clients = await Promise.all(Array.from({ length: MAX }, () => pool.connect()));
    const pids = await Promise.all(
      clients.map((client) => pidOf(client.query('select pg_backend_pid() as pid'))),
    );
    for (const client of clients) client.release();
    for (const hung of pids) kill(hung, 'SIGSTOP');
    try {
      const lost = Array.from({ length: MAX }, () => pool.query('select').catch(({ message }) => message));
      expect(await Promise.all(lost)).toEqual(Array(MAX).fill('Query read timeout'));
      const asked = Promise.all(Array.from({ length: 50 }, () => pool.query('select pg_sleep(0.02)')));
      expect(await mostSessions(asked)).toBe(MAX + 1);
    } finally {
      for (const hung of pids) kill(hung, 'SIGCONT');
    }
    const used = async () => {
      const uses = Array.from({ length: MAX }, () =>
        pidOf(pool.query('select pg_backend_pid() as pid, pg_sleep(0.1)')),
      );
      return new Set(await Promise.all(uses)).size;
    };
    await expect.poll(used).toBe(MAX);
    expect(await sessions()).toHaveLength(MAX);
  });
});

describe('a server that becomes read only', () => {
  it('is left by all connections at the first write that it refuses, also by those that only read', async () => {
    const clients = await Promise.all([pool.connect(), pool.connect(), pool.connect()]);
    for (const client of clients) {
      await client.query('set default_transaction_read_only = on');
      client.release();
    }
    await expect(pool.query('delete from polykeep_internal.calls')).rejects.toMatchObject({ code: '25006' });
    const readOnly = `select current_setting('transaction_read_only') as mode, pg_sleep(0.1)`;
    const modes = await Promise.all([1, 2, 3].map(() => pool.query<{ mode: string }>(readOnly)));
    expect(modes.map(({ rows }) => rows[0]?.mode)).toEqual(['off', 'off', 'off']);
  });

  it('gets no new connection, and has them again when it takes writes', async () => {
    const name = new URL(test.url).pathname.slice(1);
    await test.query(`alter database ${name} set default_transaction_read_only = on`);
    await expect(answering(pool.query('select from polykeep_internal.calls'))).rejects.toMatchObject({
      code: 'archive_unavailable',
      cause: { code: 'read_only_server' },
    });
    expect(await sessions()).toEqual([]);
    await (await openSession(test, 'set default_transaction_read_only = off')).query(
      `alter database ${name} reset default_transaction_read_only`,
    );
    expect((await pool.query('select from polykeep_internal.calls')).rowCount).toBe(1);
  });
});

it('a closed pool refuses those that wait and those that come, and leaves nobody behind', async () => {
  const client = await pool.connect();
  const small = new ArchivePool(test.url, { max: 1, limits: LIMITS });
  const held = await small.connect();
  const waiting = small.query('select');
  const closing = small.end();
  await expect(waiting).rejects.toThrow('after calling end');
  await expect(small.query('select')).rejects.toThrow('after calling end');
  held.release();
  await closing;
  client.release();
});
