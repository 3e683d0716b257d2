import { drizzle } from 'drizzle-orm/node-postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ArchiveReader, createReader } from '../../src/archive/read/reader.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { seedCalls } from '../support/seed.ts';

const CALLS = 30_000;
const DAY = {
  registeredFrom: new Date('2026-11-19T22:00:00Z'),
  registeredTo: new Date('2026-11-19T23:00:00Z'),
};

let test: OpenDatabase;
let reader: ArchiveReader;
/** What the reader has asked since it was last looked at. */
let asked: { sql: string; values: unknown[] }[] = [];

beforeAll(async () => {
  test = await openTestDatabase();
  await seedCalls(test, CALLS);
  await test.query(`update calls set metadata = '{"customer": "one"}' where call_sid = 'seed-20000'`);
  await test.query('analyze calls, transitions');
  const logger = { logQuery: (sql: string, values: unknown[]) => void asked.push({ sql, values }) };
  reader = createReader(drizzle(test.pool, { logger }), { newestWalked: 1_000 });
});

afterAll(() => test.drop());

const after = { registeredAt: new Date('2026-11-19T20:00:00Z'), callSid: 'seed-14400' };

it.each<[string, () => Promise<unknown>]>([
  ['one call', () => reader.readCall('seed-7')],
  ['what PolyAI last said of one call', () => reader.readLastAnswer('seed-7')],
  ['who of those waited for has settled', () => reader.settledAmong(['seed-7', 'seed-8', 'nobody'])],
  ['the newest page', () => reader.listCalls({}, 100, null)],
  ['a page from a cursor on', () => reader.listCalls({}, 100, after)],
  ['a page of an account and an hour', () => reader.listCalls({ account: 'spare', ...DAY }, 100, null)],
  ['a page of an outcome', () => reader.listCalls({ outcome: 'failure' }, 100, null)],
  ['a page of those still followed', () => reader.listCalls({ outcome: 'none' }, 100, null)],
  ['a page of a campaign', () => reader.listCalls({ metadata: { campaign: 'c3' } }, 100, null)],
  ['the one call of a customer', () => reader.listCalls({ metadata: { customer: 'one' } }, 100, null)],
])('reads %s by an index, and neither table from end to end', async (_, read) => {
  asked = [];
  await read();
  expect(asked.length).toBeGreaterThan(0);
  for (const { sql, values } of asked) {
    const rows = await test.pool.query<{ 'QUERY PLAN': string }>(`explain ${sql}`, values);
    const plan = rows.rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).not.toMatch(/Seq Scan on (calls|transitions)/);
    expect(plan).toMatch(/Index/);
  }
});
