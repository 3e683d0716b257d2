import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstat, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { parse } from 'csv-parse/sync';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readExportOptions } from '../../src/commands/export-options.ts';
import { runPolykeep, spawnPolykeep } from '../support/command-line.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { seedCalls } from '../support/seed.ts';

const CALLS = 12_345;

let test: TestDatabase;
let folder: string;

beforeAll(async () => {
  test = await createDatabase();
  folder = await mkdtemp(join(tmpdir(), 'polykeep-export-'));
  await seedCalls(test, CALLS);
  await test.query(
    `update polykeep_internal.calls set metadata = '{"note": "a \\"b\\", c"}', reason = 'über' where call_sid = 'seed-2'`,
  );
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await test.drop();
});

function run(args: string[], environment: Record<string, string> = { DATABASE_URL: test.url }) {
  return runPolykeep(['export', ...args], { DATA_DIR: join(folder, 'none'), ...environment });
}

async function toFile(format: string, ...more: string[]) {
  const path = join(folder, `calls.${format}`);
  const { stdout, stderr, code } = await run(['--format', format, '--output', path, ...more]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.any(String) });
  const bytes = await readFile(path);
  expect({ stdout, stderr, code }).toEqual({
    stdout: '',
    stderr: expect.stringMatching(new RegExp(`^polykeep: exported \\d+ calls, ${bytes.length} bytes\n$`)),
    code: 0,
  });
  return { path, body: bytes.toString('utf8'), calls: Number(/\d+/.exec(stderr)) };
}

const ndjsonOf = (body: string) =>
  body
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));

describe('polykeep export', () => {
  it('writes ndjson and csv of the same calls', async () => {
    const ndjson = await toFile('ndjson');
    const csv = await toFile('csv');
    const sids = ndjsonOf(ndjson.body).map(({ callSid }) => callSid);
    expect([ndjson.calls, csv.calls, sids.length]).toEqual([CALLS, CALLS, CALLS]);
    const records = parse<Record<string, string>>(csv.body, { columns: true });
    expect(records.map(({ callSid }) => callSid)).toEqual(sids);
    expect(sids.slice(0, 2)).toEqual(['seed-1', 'seed-2']);
  });

  it('writes Parquet with proper types, in row groups, that reads back as the ndjson', async () => {
    const { path, calls } = await toFile('parquet');
    expect(calls).toBe(CALLS);
    const file = await asyncBufferFromFile(path);
    const metadata = await parquetMetadataAsync(file);
    expect(metadata.row_groups.map(({ num_rows }) => Number(num_rows))).toEqual([10_000, CALLS - 10_000]);
    expect(
      metadata.schema
        .slice(1)
        .map(({ name, type, converted_type, repetition_type }) => [
          name,
          converted_type ?? type,
          repetition_type,
        ]),
    ).toEqual([
      ['callSid', 'UTF8', 'REQUIRED'],
      ['account', 'UTF8', 'REQUIRED'],
      ['status', 'UTF8', 'OPTIONAL'],
      ['outcome', 'UTF8', 'OPTIONAL'],
      ['reason', 'UTF8', 'OPTIONAL'],
      ['registeredAt', 'TIMESTAMP_MILLIS', 'REQUIRED'],
      ['createdAt', 'TIMESTAMP_MILLIS', 'OPTIONAL'],
      ['lastUpdated', 'TIMESTAMP_MILLIS', 'OPTIONAL'],
      ['firstSeenAt', 'TIMESTAMP_MILLIS', 'OPTIONAL'],
      ['lastSeenAt', 'TIMESTAMP_MILLIS', 'OPTIONAL'],
      ['settledAt', 'TIMESTAMP_MILLIS', 'OPTIONAL'],
      ['polls', 'INT32', 'REQUIRED'],
      ['failedPolls', 'INT32', 'REQUIRED'],
      ['lastError', 'UTF8', 'OPTIONAL'],
      ['metadata', 'JSON', 'REQUIRED'],
      ['transitionCount', 'INT32', 'REQUIRED'],
      ['transitions', 'JSON', 'REQUIRED'],
    ]);
    const rows = await parquetReadObjects({ file });
    const read = rows.map(({ transitionCount, ...row }) => {
      expect(transitionCount).toBe(row.transitions.length);
      return JSON.parse(JSON.stringify(row));
    });
    const expected = ndjsonOf((await run(['--output', '-'])).stdout);
    expect(read.length).toBe(CALLS);
    // One at a time: a difference is then a line, not a book.
    for (const [index, call] of expected.entries()) expect(read[index]).toEqual(call);
  });

  it.each(['csv', 'ndjson', 'parquet'])('of nothing writes a whole %s file', async (format) => {
    const { path, calls, body } = await toFile(format, '--account', 'nobody');
    expect(calls).toBe(0);
    if (format === 'parquet') {
      expect(await parquetReadObjects({ file: await asyncBufferFromFile(path) })).toEqual([]);
    } else {
      expect(body.split('\r\n').length).toBe(format === 'csv' ? 2 : 1);
    }
  });

  it('writes into what is no file, and through a link: it takes the place of neither', async () => {
    const pipe = join(folder, 'pipe');
    await once(spawn('mkfifo', [pipe]), 'close');
    const reader = spawn('cat', [pipe], { stdio: ['ignore', 'pipe', 'ignore'] });
    const [read, { code }] = await Promise.all([
      text(reader.stdout),
      run(['--format', 'ndjson', '--output', pipe]),
    ]);
    expect([code, ndjsonOf(read).length]).toEqual([0, CALLS]);
    expect((await lstat(pipe)).isFIFO()).toBe(true);

    const [target, link] = [join(folder, 'target.csv'), join(folder, 'link.csv')];
    await writeFile(target, 'old');
    await symlink(target, link);
    await run(['--format', 'csv', '--output', link]);
    expect((await lstat(link)).isSymbolicLink()).toBe(true);
    expect((await readFile(target, 'utf8')).slice(0, 8)).toBe('callSid,');
  });

  it('writes Parquet to standard output, the bytes of the file', async () => {
    const { path } = await toFile('parquet');
    const child = spawnPolykeep(['export', '--format', 'parquet', '--output', '-'], {
      DATABASE_URL: test.url,
    });
    const [written, told] = await Promise.all([buffer(child.stdout), text(child.stderr)]);
    expect(written.equals(await readFile(path))).toBe(true);
    expect(told).toBe(`polykeep: exported ${CALLS} calls, ${written.length} bytes\n`);
  });

  it('writes csv for spreadsheets with a byte order mark, and the same behind it', async () => {
    const { body } = await toFile('csv', '--outcome', 'lost');
    const marked = await toFile('csv', '--outcome', 'lost', '--bom');
    expect(body).toMatch(/^callSid,/);
    expect(marked.body).toBe(`\ufeff${body}`);
  });

  it('takes the filters of the API', async () => {
    const { stdout } = await run([
      ...['--output', '-', '--status', 'Queued', '--outcome', 'none', '--account', 'spare'],
      ...['--registered-from', '2026-11-19T23:50:00Z', '--registered-to', '2026-11-20T00:50:00+01:00'],
      ...['--metadata', 'campaign=c1'],
    ]);
    expect(stdout).toBe('');
    const some = await run(['--output', '-', '--outcome', 'lost', '--metadata', 'campaign=c1']);
    const found = ndjsonOf(some.stdout);
    expect(found.length).toBeGreaterThan(100);
    for (const call of found) expect(call).toMatchObject({ outcome: 'lost', metadata: { campaign: 'c1' } });
  });

  it('finds the Postgres of a running polykeep by its data folder', async () => {
    await writeFile(join(folder, 'database-url'), `${test.url}\n`);
    const { stderr, code } = await run(['--output', '-', '--account', 'x'], { DATA_DIR: folder });
    expect([stderr, code]).toEqual(['polykeep: exported 0 calls, 0 bytes\n', 0]);
  });
});

describe('what goes wrong is one plain line, and leaves no file', () => {
  it.each<[string[], Record<string, string>, RegExp]>([
    [['--output', 'x'], {}, /^no archive: DATABASE_URL is not set, and there is no .*database-url/],
    [['--output', 'x'], { DATABASE_URL: 'postgres://127.0.0.1:1/x' }, /^export failed: .*ECONNREFUSED/],
    [['--output', 'x'], { DATABASE_URL: 'x' }, /^DATABASE_URL: must be a postgres/],
    [['--output', 'none/x'], { url: 'real' }, /^export failed: ENOENT/],
    [['--output'], {}, /^Option '--output <value>' argument missing/],
  ])('%j', async (args, { url, ...environment }, message) => {
    const before = await readdir(folder);
    const placed = args.map((arg) => (/x$/.test(arg) && arg !== 'x' ? join(folder, arg) : arg));
    const { stdout, stderr, code } = await run(
      placed,
      url === undefined ? environment : { DATABASE_URL: test.url },
    );
    expect(stdout).toBe('');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^polykeep: [^\n]+\n$/);
    expect(stderr.slice('polykeep: '.length)).toMatch(message);
    expect(await readdir(folder)).toEqual(before);
  });

  // The line is the message of what is thrown: these need no process each.
  it.each<[string[], RegExp]>([
    [[], /^--output: /],
    [['--output', '-', '--bom'], /^--bom: is for csv alone/],
    [['--output', '-', '--format', 'parquet', '--bom'], /^--bom: is for csv alone/],
    [['--output', '-', '--format', 'xml'], /^--format: must be csv or ndjson or parquet/],
    [['--output', '-', '--outcome', 'maybe'], /^--outcome: /],
    [['--output', '-', '--registered-from', 'yesterday'], /^--registered-from: /],
    [['--output', '-', '--registered-to', '0000-01-01T00:00:00Z'], /^--registered-to: is out of range/],
    [['--output', '-', '--metadata', 'x'], /^--metadata: must be KEY=VALUE/],
    [['--output', '-', '--colour', 'red'], /^Unknown option '--colour'/],
    [['calls.csv'], /^Unexpected argument 'calls.csv'/],
  ])('%j', (args, message) => {
    expect(() => readExportOptions(args)).toThrow(message);
    expect(() => readExportOptions(args)).toThrow(/^[^\n]+$/);
  });

  it('a Postgres that goes away half-way leaves the old file as it was', async () => {
    const path = join(folder, 'old.csv');
    await writeFile(path, 'old');
    const running = run(['--format', 'csv', '--output', path]);
    // At the fifth fetch some of it is written. Postgres itself looks for it: on a slow machine the export would be
    // over between two questions from here.
    await test.query(`do $$ declare
        export int; started timestamptz; fetches timestamptz[] := '{}';
      begin
        while cardinality(fetches) < 5 loop
          perform pg_stat_clear_snapshot(), pg_sleep(0.001);
          select pid, query_start into export, started from pg_stat_activity
           where application_name = 'polykeep export' and query like 'fetch%' and datname = current_database();
          if found and started <> all(fetches) then fetches := fetches || started; end if;
        end loop;
        perform pg_terminate_backend(export);
      end $$`);
    const { stderr, code } = await running;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^polykeep: export failed: [^\n]+\n$/);
    expect(await readFile(path, 'utf8')).toBe('old');
    expect((await readdir(folder)).filter((name) => name.includes('unfinished'))).toEqual([]);
  });
});
