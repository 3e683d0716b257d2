import { describe, expect, it, onTestFinished } from 'vitest';
import journal from '../../migrations/meta/_journal.json' with { type: 'json' };
import { openDatabase } from '../../src/archive/database.ts';
import { createReader } from '../../src/archive/read/reader.ts';
import { migrateDatabase } from '../../src/archive/schema/migrations.ts';
import type { Call } from '../../src/call/call.ts';
import type { TestDatabase } from '../support/database.ts';
import { silentLog as log } from '../support/log.ts';
import { callsOf } from '../support/read-call.ts';
import { databaseAt, LEVELS } from './level.ts';
import { readRecording, recordedLevels } from './recording.ts';
import { replay } from './replay.ts';

/** Migrations run while the code before them still does; and after them no call is lost, nor changed. */

const recorded = await recordedLevels();
const [newest = ''] = LEVELS.slice(-1);

async function at(level: string): Promise<TestDatabase> {
  const database = await databaseAt(level);
  onTestFinished(() => database.drop());
  return database;
}

it('each migration has a recording from before the next', () => {
  expect(recorded).toEqual(expect.arrayContaining(LEVELS.slice(0, -1)));
  expect(LEVELS).toEqual(expect.arrayContaining(recorded));
});

it('migrations are in the order of their times: Drizzle leaves out what is older than the last it applied', () => {
  const times = journal.entries.map(({ when }) => when);
  expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
});

describe.each(recorded)('from %s', (level) => {
  it('code of then is answered the same by the newest schema', async () => {
    const recording = await readRecording(level);
    const then = await replay(recording, (await at(level)).url);
    const now = await replay(recording, (await at(newest)).url);
    expect(now).toEqual(then);
    for (const table of ['calls', 'transitions']) {
      const written = then.filter(
        ({ text, some }) => some && text.includes(`insert into polykeep_internal.${table}`),
      );
      expect(written.length).toBeGreaterThan(1);
    }
  });

  it('what is archived reads the same after the migration, and code of then goes on with it', async () => {
    const database = await at(level);
    const recording = await readRecording(level);
    await replay(recording, database.url);
    const columns = await columnsOf(database);
    const before = await rowsOf(database, columns);
    expect(before.get('polykeep_internal.calls')?.length).toBeGreaterThan(3);

    await migrateDatabase(database.url, log);
    expect(await rowsOf(database, columns)).toEqual(before);
    const calls = await readAll(database.url);
    expect(calls).toHaveLength(before.get('polykeep_internal.calls')?.length ?? -1);
    expect(calls.flatMap(({ transitions }) => transitions)).toHaveLength(
      before.get('polykeep_internal.transitions')?.length ?? -1,
    );
    await replay(recording, database.url);
  });

  it('code of then is served while the migration runs', async () => {
    const database = await at(level);
    const recording = await readRecording(level);
    let isOver = false;
    const migrating = migrateDatabase(database.url, log).finally(() => {
      isOver = true;
    });
    do await replay(recording, database.url);
    while (!isOver);
    await migrating;
  });
});

/** Of each table and view, but the one that a migration is to change. */
async function columnsOf({ query }: TestDatabase): Promise<Map<string, string>> {
  const found = await query<{ relation: string; columns: string }>(
    `select table_schema || '.' || table_name as relation, string_agg(quote_ident(column_name), ', ') as columns
       from information_schema.columns
      where table_schema in ('polykeep', 'polykeep_internal') and table_name <> 'migrations' group by 1`,
  );
  return new Map(found.map(({ relation, columns }) => [relation, columns]));
}

async function rowsOf({ query }: TestDatabase, columns: Map<string, string>): Promise<Map<string, string[]>> {
  const rows = new Map<string, string[]>();
  for (const [relation, names] of columns) {
    const found = await query<{ row: string }>(
      `select to_jsonb(r)::text as row from (select ${names} from ${relation}) r order by 1`,
    );
    rows.set(
      relation,
      found.map(({ row }) => row),
    );
  }
  return rows;
}

async function readAll(url: string): Promise<Call[]> {
  const { pool, close } = openDatabase(url, log);
  return callsOf(await createReader(pool).listCalls({}, 1_000, null).finally(close));
}
