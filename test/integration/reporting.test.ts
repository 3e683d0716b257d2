import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { grantReader } from '../../src/commands/grant-reader.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { makeRollups } from '../support/rollup-count.ts';
import { seedArchive } from '../support/seeded-archive.ts';

let test: TestDatabase;
/** Roles are of the whole server, which other test files share. */
const name = `reader_${randomUUID().replaceAll('-', '')}`;
const roles = [name];
let reader: Client;

beforeAll(async () => {
  test = await createDatabase();
  await seedArchive(test);
  reader = await login(await grant(name));
});

afterAll(async () => {
  await reader.end();
  for (const role of roles) {
    const [found] = await test.query<object>('select from pg_roles where rolname = $1', [role]);
    if (found !== undefined) await test.query(`drop owned by ${role}; drop role ${role}`);
  }
  await test.drop();
});

const grant = (role: string) => grantReader({ DATABASE_URL: test.url, DATA_DIR: '/nowhere' }, role);

async function login(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** All tables and views outside Postgres' own schemas. */
async function relations(): Promise<{ schema: string; relation: string }[]> {
  return test.query(
    `select nspname as schema, quote_ident(nspname) || '.' || quote_ident(relname) as relation
       from pg_class c join pg_namespace n on n.oid = relnamespace
      where relkind in ('r', 'v', 'm', 'p', 'S') and nspname !~ '^pg_' and nspname <> 'information_schema'`,
  );
}

const VIEWS = ['call_durations', 'calls', 'outcomes_daily', 'outcomes_hourly', 'transitions'];

describe('the schema polykeep', () => {
  it('has the five views', async () => {
    const found = (await relations()).filter(({ schema }) => schema === 'polykeep');
    expect(found.map(({ relation }) => relation).sort()).toEqual(VIEWS.map((view) => `polykeep.${view}`));
  });

  it('has a comment on each view and each column', async () => {
    const bare = await test.query(
      `select relname, attname
         from pg_class c join pg_attribute a on attrelid = c.oid and attnum > 0 and not attisdropped
        where relnamespace = 'polykeep'::regnamespace and col_description(c.oid, attnum) is null`,
    );
    const views = await test.query(
      `select relname from pg_class
        where relnamespace = 'polykeep'::regnamespace and obj_description(oid, 'pg_class') is null`,
    );
    expect({ bare, views }).toEqual({ bare: [], views: [] });
  });
});

describe('polykeep.call_durations', () => {
  const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1_000);

  async function insert(
    callSid: string,
    outcome: string | null,
    seen: [status: string, after: number | null, observed: number, updated: number | null][],
  ): Promise<void> {
    await test.query(
      `insert into polykeep_internal.calls (call_sid, account, outcome, registered_at, settled_at)
       values ($1, (select id from polykeep_internal.accounts where name = 'us'),
               (select id from polykeep_internal.outcomes where name = $2), $3, $4)`,
      [callSid, outcome, at(0), outcome === null ? null : at(100)],
    );
    for (const [index, [status, after, observed, updated]] of seen.entries()) {
      await test.query(
        `insert into polykeep_internal.transitions
           (call_id, seq, status, changed_after, observed_at, last_updated, payload)
         select c.id, $2, s.id, $4, $5, $6, '{}'
           from polykeep_internal.calls c, polykeep_internal.statuses s
          where c.call_sid = $1 and s.name = $3`,
        [
          callSid,
          index + 1,
          status,
          after === null ? null : at(after),
          at(observed),
          updated === null ? null : at(updated),
        ],
      );
    }
  }

  const stays = async (callSid: string) =>
    test.query('select * from polykeep.call_durations where call_sid = $1 order by seq', [callSid]);

  it('has one row per stay, with the doubt of polling and PolyAI’s own times', async () => {
    await insert('ended', 'success', [
      ['queued', null, 2, 1],
      ['calling', 6, 8, 7],
      ['success', 40, 44, 42],
    ]);
    expect(await stays('ended')).toEqual([
      {
        call_sid: 'ended',
        account: 'us',
        seq: 1,
        status: 'queued',
        from_observed: at(2),
        to_observed: at(8),
        seconds: 6,
        seconds_min: 4,
        seconds_max: null,
        polyai_from: at(1),
        polyai_to: at(7),
        polyai_seconds: 6,
      },
      {
        call_sid: 'ended',
        account: 'us',
        seq: 2,
        status: 'calling',
        from_observed: at(8),
        to_observed: at(44),
        seconds: 36,
        seconds_min: 32,
        seconds_max: 38,
        polyai_from: at(7),
        polyai_to: at(42),
        polyai_seconds: 35,
      },
    ]);
  });

  it('has no end for a stay that lasts, nor where PolyAI showed none', async () => {
    await insert('lasts', null, [['queued', null, 2, 1]]);
    await insert('lost', 'lost', [['calling', null, 2, null]]);
    for (const callSid of ['lasts', 'lost']) {
      const open = { to_observed: null, seconds: null, seconds_min: null, seconds_max: null };
      expect(await stays(callSid)).toMatchObject([
        { ...open, polyai_from: null, polyai_to: null, polyai_seconds: null },
      ]);
    }
  });

  it('has a shortest length of no less than nothing, and PolyAI’s times only in pairs', async () => {
    await insert('quick', 'failure', [
      ['queued', null, 2, null],
      ['calling', 2, 5, 4],
      ['failure', 4, 6, null],
    ]);
    expect(await stays('quick')).toMatchObject([
      { seconds: 3, seconds_min: 0, polyai_from: null, polyai_to: null, polyai_seconds: null },
      { seconds: 1, seconds_min: 0, seconds_max: 4, polyai_from: null, polyai_to: null },
    ]);
  });
});

describe.each([
  ['outcomes_hourly', 'hour'],
  ['outcomes_daily', 'day'],
])('polykeep.%s', (view, unit) => {
  it('counts each call once, and its sums are those of the calls', async () => {
    // Those that other tests have inserted.
    await makeRollups(test.url);
    const [counted] = await test.query(
      `select sum(calls)::int as calls, sum(settled)::int as settled, sum(successes)::int as successes,
              sum(failures)::int as failures, sum(polls)::int as polls, sum(failed_polls)::int as failed_polls,
              round(sum(seconds_to_settle)) as seconds
         from polykeep.${view}`,
    );
    const [expected] = await test.query(
      `select count(*)::int as calls, count(settled_at)::int as settled,
              count(*) filter (where outcome = 'success')::int as successes,
              count(*) filter (where outcome = 'failure')::int as failures, 
              sum(polls) filter (where outcome is not null)::int as polls,
              sum(failed_polls) filter (where outcome is not null)::int as failed_polls,
              round(sum(extract(epoch from settled_at - registered_at))::float8) as seconds
         from polykeep.calls`,
    );
    expect(counted).toEqual(expected);
    const wrong = await test.query(
      `select * from polykeep.${view}
        where bucket <> date_trunc('${unit}', bucket at time zone 'UTC') at time zone 'UTC'
           or (outcome is null) <> (settled = 0)`,
    );
    expect(wrong).toEqual([]);
  });

  it('has UTC buckets whatever the time zone of the session', async () => {
    const buckets = async (zone: string) => {
      await reader.query(`set timezone = '${zone}'`);
      const { rows } = await reader.query(
        `select extract(epoch from bucket) as at, sum(calls) as calls from polykeep.${view} group by 1 order by 1`,
      );
      await reader.query('reset timezone');
      return rows;
    };
    expect(await buckets('Asia/Kathmandu')).toEqual(await buckets('UTC'));
  });
});

describe('the reader role', () => {
  it('reads each view', async () => {
    for (const view of VIEWS) {
      const { rows } = await reader.query(`select * from polykeep.${view} limit 1`);
      expect(rows).toHaveLength(1);
    }
  });

  it('is refused each table and sequence of every other schema', async () => {
    const others = (await relations()).filter(({ schema }) => schema !== 'polykeep');
    const named = others.map(({ relation }) => relation);
    expect(named).toEqual(
      expect.arrayContaining([
        'polykeep_internal.calls',
        'polykeep_internal.transitions',
        'polykeep_internal.migrations',
      ]),
    );
    for (const relation of named) {
      await expect(reader.query(`select * from ${relation}`), relation).rejects.toMatchObject({
        code: '42501',
      });
    }
  });

  it('can call no function of ours', async () => {
    const { rows } = await reader.query(
      `select p.oid::regprocedure::text as function
         from pg_proc p join pg_namespace n on n.oid = pronamespace
        where nspname !~ '^pg_' and nspname <> 'information_schema'
          and prorettype <> 'trigger'::regtype
          and has_schema_privilege(n.oid, 'usage') and has_function_privilege(p.oid, 'execute')`,
    );
    expect(rows).toEqual([]);
  });

  it('can write nothing, neither through the views nor beside them', async () => {
    await reader.query('set default_transaction_read_only = off');
    for (const statement of [
      `delete from polykeep.calls`,
      `update polykeep.calls set account = 'x'`,
      `insert into polykeep.transitions (call_sid) values ('x')`,
      `create table polykeep.mine (n int)`,
      `create table public.mine (n int)`,
      `create schema mine`,
      `create role other`,
    ]) {
      // Of a view of several tables Postgres says that nobody can, before it looks at rights.
      await expect(reader.query(statement), statement).rejects.toMatchObject({
        code: expect.stringMatching(/^(42501|55000)$/),
      });
    }
    await reader.query('reset default_transaction_read_only');
  });

  it('has a query ended after some minutes, and writes nothing by mistake', async () => {
    const { rows } = await reader.query(
      `select current_setting('statement_timeout') as timeout,
              current_setting('default_transaction_read_only') as read_only,
              (select rolconnlimit from pg_roles where rolname = current_user) as connections`,
    );
    expect(rows).toEqual([{ timeout: '5min', read_only: 'on', connections: 10 }]);
  });

  it('reads views that are made later', async () => {
    await test.query('create view polykeep.later as select 1 as one');
    try {
      expect((await reader.query('select * from polykeep.later')).rows).toEqual([{ one: 1 }]);
    } finally {
      await test.query('drop view polykeep.later');
    }
  });
});

describe('grant-reader', () => {
  it('gives a role that is there a new password', async () => {
    const again = `${name.slice(0, 50)}_again`;
    roles.push(again);
    const first = await grant(again);
    const second = await grant(again);
    expect(second).not.toBe(first);
    await expect(login(first)).rejects.toMatchObject({ code: '28P01' });
    await (await login(second)).end();
  });

  it.each(['', 'Analyst', '1a', 'a-b', 'a"; drop table calls; --', 'a'.repeat(64), 'pg_reader', 'ä'])(
    'refuses the name %j',
    async (bad) => {
      await expect(grant(bad)).rejects.toMatchObject({ code: 'bad_reader_role' });
    },
  );

  it('takes a name that is a word of SQL', async () => {
    const [found] = await test.query<object>(`select from pg_roles where rolname = 'select'`);
    if (found === undefined) {
      await (await login(await grant('select'))).end();
      await test.query('drop owned by "select"; drop role "select"');
    }
  });

  it.each<[string, string, (role: string) => string]>([
    ['is a superuser', 'superuser', (role) => `create role ${role} superuser`],
    ['may manage the server', 'createrole', (role) => `create role ${role} createrole`],
    ['owns things', 'owner', (role) => `create role ${role}; create schema s_${role} authorization ${role}`],
    [
      'is a member of other roles',
      'member',
      (role) => `create role ${role}; grant pg_read_all_data to ${role}`,
    ],
    [
      'has rights on other things',
      'granted',
      (role) => `create role ${role}; grant select on polykeep_internal.calls to ${role}`,
    ],
  ])('refuses a role that %s, and leaves it as it was', async (fault, suffix, sql) => {
    const role = `${name.slice(0, 40)}_${suffix}`;
    roles.push(role);
    await test.query(sql(role));
    await expect(grant(role)).rejects.toThrow(`the role ${role} ${fault}: choose another name`);
    expect(await test.query('select rolcanlogin from pg_roles where rolname = $1', [role])).toEqual([
      { rolcanlogin: false },
    ]);
  });

  it('says in one line that there is no database', async () => {
    await expect(grantReader({ DATA_DIR: '/nowhere' }, 'analyst')).rejects.toThrow(
      'no archive: DATABASE_URL is not set, and there is no /nowhere/database-url of a polykeep that runs',
    );
    const url = Object.assign(new URL(inject('postgresUrl')), { port: '1' }).href;
    await expect(grantReader({ DATABASE_URL: url, DATA_DIR: '/nowhere' }, 'analyst')).rejects.toThrow(
      /^Postgres at 127\.0\.0\.1:1 \(database ".+", user ".+"\): connect ECONNREFUSED 127\.0\.0\.1:1$/,
    );
  });
});

describe('docs/sql.md', async () => {
  const text = await readFile(new URL('../../docs/sql.md', import.meta.url), 'utf8');
  const queries = [
    ...text.matchAll(/^(?<question>(?!```)[^\n]+)\n(?:[^\n]+\n)*\n```sql\n(?<sql>.*?)```/gms),
  ].map(({ groups }) => [groups?.question ?? '', groups?.sql ?? ''] as const);

  it('has ten queries or more, each with its question', () => {
    expect(queries.length).toBeGreaterThanOrEqual(10);
    expect(queries).toHaveLength(text.match(/```sql/g)?.length ?? 0);
  });

  it.each(queries)('%s', async (_, sql) => {
    const { rows } = await reader.query(sql);
    expect(rows.length).toBeGreaterThan(0);
  });
});
