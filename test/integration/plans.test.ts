import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ArchiveReader, createReader } from '../../src/archive/read/reader.ts';
import { createMetadataEditor } from '../../src/archive/write/metadata.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { plansOf } from '../support/plans.ts';
import { seedCalls } from '../support/seed.ts';

const CALLS = 30_000;
const DAY = {
  registeredFrom: new Date('2026-11-19T22:00:00Z'),
  registeredTo: new Date('2026-11-19T23:00:00Z'),
};

let test: OpenDatabase;
let reader: ArchiveReader;

beforeAll(async () => {
  test = await openTestDatabase();
  await seedCalls(test, CALLS);
  await test.query(`
    with changed as (
      update polykeep_internal.calls set metadata = '{"customer": "one"}', reason = 'rare'
       where call_sid = 'seed-20004'
      returning id, transition_count
    )
    update polykeep_internal.transitions t set reason = 'rare'
      from changed c
     where t.call_id = c.id and t.seq = c.transition_count`);
  // What is still followed is of the last minutes, as it is where calls end.
  await test.query(`
    delete from polykeep_internal.unsettled
     where call_id not in (select id from polykeep_internal.calls order by registered_at desc limit 300)`);
  await test.query(
    'analyze polykeep_internal.calls, polykeep_internal.transitions, polykeep_internal.unsettled',
  );
  reader = createReader(test.pool, { newestWalked: 1_000 });
});

afterAll(() => test.drop());

const after = { registeredAt: new Date('2026-11-19T20:00:00Z'), id: '15600' };

it.each<[string, () => Promise<unknown>]>([
  ['one call', () => reader.readCall('seed-7')],
  ['what PolyAI last said of one call', () => reader.readLastAnswer('seed-7')],
  ['who of those waited for has settled', () => reader.settledAmong(['seed-7', 'seed-8', 'nobody'])],
  ['the call whose metadata is changed', () => createMetadataEditor(test.pool).patch('seed-7', { a: 'b' })],
  ['the newest page', () => reader.listCalls({}, 100, null)],
  ['a page from a cursor on', () => reader.listCalls({}, 100, after)],
  ['a page of an account and an hour', () => reader.listCalls({ account: 'spare', ...DAY }, 100, null)],
  ['a page of an outcome', () => reader.listCalls({ outcome: 'failure' }, 100, null)],
  ['a page of those still followed', () => reader.listCalls({ outcome: 'none' }, 500, null)],
  ['a page of a campaign', () => reader.listCalls({ metadata: { campaign: 'c3' } }, 100, null)],
  ['the one call of a customer', () => reader.listCalls({ metadata: { customer: 'one' } }, 100, null)],
  ['the one call with a reason', () => reader.listCalls({ reason: 'rare' }, 100, null)],
  ['no call, of a reason never given', () => reader.listCalls({ reason: 'never' }, 100, null)],
  ['the calls whose id begins so', () => reader.listCalls({ callSidPrefix: 'seed-2000' }, 100, null)],
  [
    'what settled within a minute of long ago',
    () =>
      reader.listCalls(
        { settledFrom: new Date('2026-11-19T18:00:00Z'), settledTo: new Date('2026-11-19T18:01:00Z') },
        100,
        null,
      ),
  ],
  [
    'what settled after all that did',
    () => reader.listCalls({ settledFrom: new Date('2026-11-21Z') }, 100, null),
  ],
])('reads %s by an index, and neither table from end to end', async (_, read) => {
  const plans = await plansOf(test.pool, read);
  expect(plans.length).toBeGreaterThan(0);
  for (const plan of plans) {
    expect(plan).not.toMatch(/Seq Scan on (calls|transitions)/);
    expect(plan).toMatch(/Index/);
  }
});

it('reads no call at all of a status, or an account, that none ever had', async () => {
  for (const filter of [{ status: 'never' }, { account: 'nobody' }]) {
    const plans = await plansOf(test.pool, () => reader.listCalls(filter, 100, null));
    expect(plans).toHaveLength(1);
    expect(plans[0]).toMatch(/One-Time Filter: .*InitPlan/);
  }
});
