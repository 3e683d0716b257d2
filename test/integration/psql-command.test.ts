import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runPolykeep } from '../support/command-line.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { isOnPath } from '../support/redis-choice.ts';

/** Says what it was started with. */
const STAND_IN = `#!/bin/sh
printf '%s\\n' "$@"
env | grep -E '^(PGPASSWORD|POLYAI_AUTH_TOKEN|DATABASE_URL)='
exit 3
`;

let folder: string;
let database: TestDatabase;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'polykeep-psql-'));
  database = await createDatabase();
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
  await database.drop();
});

it('psql is opened on the database, and the password is no argument that others could see', async () => {
  await writeFile(join(folder, 'psql'), STAND_IN, { mode: 0o755 });
  const { code, stdout } = await runPolykeep(['psql', '--tuples-only', '-c', 'select 1'], {
    PATH: [folder, process.env.PATH].join(delimiter),
    POLYAI_AUTH_TOKEN: 'a-token-of-some-length',
    DATABASE_URL: 'postgres://me:p%40ss%2Fword@h:5433/db?ssl=true&options=-c%20a%3Db',
  });
  expect(code).toBe(3);
  expect(stdout.trim().split('\n')).toEqual([
    '--dbname=postgres://me@h:5433/db?options=-c%20a%3Db&sslmode=verify-full',
    '--tuples-only',
    '-c',
    'select 1',
    'PGPASSWORD=p@ss/word',
  ]);
});

it('DATABASE_DIRECT_URL goes before the pooler, and a real psql answers', async ({ skip }) => {
  skip(!isOnPath('psql'), 'no psql on the PATH');
  const ran = await runPolykeep(['psql', '-XAtc', 'select count(*) from polykeep_internal.archive'], {
    DATABASE_URL: 'postgres://nobody@127.0.0.1:9/pooler',
    DATABASE_DIRECT_URL: database.url,
  });
  expect(ran).toEqual({ code: 0, stdout: '1\n', stderr: '' });
});

it('without psql the URL is printed, by which the database of DATA_DIR is found too', async () => {
  await writeFile(join(folder, 'database-url'), `${database.url}\n`);
  const ran = await runPolykeep(['psql'], { PATH: folder, DATA_DIR: folder });
  expect(ran).toEqual({
    code: 0,
    stdout: `${database.url}\n`,
    stderr: 'polykeep: there is no psql on the PATH; the database is at\n',
  });
});

it('where there is no database that is said', async () => {
  const { code, stderr } = await runPolykeep(['psql'], { DATA_DIR: join(folder, 'none') });
  expect(code).toBe(1);
  expect(stderr).toMatch(/^polykeep: no archive: DATABASE_URL is not set/);
});
