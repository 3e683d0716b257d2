import { readFile } from 'node:fs/promises';
import { Client } from 'pg';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { grantReader } from '../../src/commands/grant-reader.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { seedArchive } from '../support/seeded-archive.ts';

const Target = Type.Object({ rawSql: Type.String(), format: Type.Enum(['table', 'time_series']) });
const Dashboard = Type.Object({
  templating: Type.Object({
    list: Type.Array(Type.Object({ name: Type.String(), query: Type.String() })),
  }),
  panels: Type.Array(
    Type.Object({ id: Type.Integer(), title: Type.String(), targets: Type.Array(Target, { minItems: 1 }) }),
  ),
});

const read = (name: string) => readFile(new URL(`../../ops/${name}`, import.meta.url), 'utf8');
const dashboard = Value.Parse(Dashboard, JSON.parse(await read('outcomes-dashboard.json')));
const queries = dashboard.panels.flatMap(({ title, targets }) =>
  targets.map(({ rawSql, format }) => ({ title, format, sql: rawSql })),
);

let test: TestDatabase;
let reader: Client;
/** Roles are of the whole server, which other test files share. */
const ROLE = `dashboard_${process.pid}`;

beforeAll(async () => {
  test = await createDatabase();
  await seedArchive(test);
  const url = await grantReader({ DATABASE_URL: test.url, DATA_DIR: '/nowhere' }, ROLE);
  reader = new Client({ connectionString: url });
  await reader.connect();
});

afterAll(async () => {
  await reader.end();
  await test.query(`drop owned by ${ROLE}; drop role ${ROLE}`);
  await test.drop();
});

/** As Grafana fills its macros and variables in. */
function filledIn(sql: string): string {
  return sql
    .replaceAll('$__timeFrom()', `'${new Date(Date.now() - 30 * 86_400_000).toISOString()}'`)
    .replaceAll('$__timeTo()', `'${new Date(Date.now() + 86_400_000).toISOString()}'`)
    .replaceAll('$account', `'us','uk'`);
}

describe('ops/outcomes-dashboard.json, as the role that grant-reader makes', () => {
  it.each(queries)('$title', async ({ sql, format }) => {
    expect(filledIn(sql)).not.toMatch(/\$/);
    const { rows, fields } = await reader.query(filledIn(sql));
    expect(rows.length).toBeGreaterThan(0);
    const names = fields.map(({ name }) => name);
    if (format === 'time_series') expect(names).toEqual(['time', 'metric', 'value']);
    expect(Object.values(rows[0]).every((value) => value === null)).toBe(false);
  });

  it('finds its accounts', async () => {
    const { query = '' } = dashboard.templating.list.find(({ name }) => name === 'account') ?? {};
    expect((await reader.query(query)).rows).toEqual([{ account: 'uk' }, { account: 'us' }]);
  });

  it('has each panel once', () => {
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });
});
