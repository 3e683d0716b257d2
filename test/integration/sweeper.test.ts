import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRegistrar } from '../../src/archive/write/registrar.ts';
import { createWriter } from '../../src/archive/write/writer.ts';
import { systemClock } from '../../src/clock.ts';
import type { Rounds } from '../../src/upkeep/rounds.ts';
import { createSweeper, type SweeperOptions } from '../../src/upkeep/sweeper.ts';
import { forgetCalls, storeCalls } from '../support/calls.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { silentLog as log } from '../support/log.ts';
import { noMetrics } from '../support/metrics.ts';
import { plansOf } from '../support/plans.ts';
import { sightingNow } from '../support/sighting.ts';

let test: OpenDatabase;

beforeAll(async () => {
  test = await openTestDatabase();
});

afterAll(() => test.drop());

/** Unsettled calls, promised to be followed for some seconds from now. */
async function insertCalls(name: string, count: number, promisedForSeconds: number): Promise<void> {
  await storeCalls(
    test,
    Array.from({ length: count }, (_, n) => ({
      callSid: `${name}${n + 1}`,
      followedFor: promisedForSeconds,
    })),
  );
}

const newSweeper = (requeue: SweeperOptions['requeue'], { pageSize = 1_000, alone = false } = {}) =>
  createSweeper({
    pool: test.pool,
    requeue,
    longestPromiseMs: 600_000,
    patienceMs: 60_000,
    everyMs: 20,
    alone,
    metrics: noMetrics,
    clock: systemClock,
    log,
    pageSize,
  });

async function sweep(options: { pageSize?: number; alone?: boolean } = {}): Promise<string[]> {
  const found: string[] = [];
  await newSweeper(async (callSids) => void found.push(...callSids), options).sweep();
  return found;
}

describe('among 200,000 calls that are followed', () => {
  beforeAll(async () => {
    await insertCalls('followed-', 200_000, 300);
    await test.query('vacuum analyze polykeep_internal.unsettled, polykeep_internal.calls');
  });

  afterEach(async () => {
    await test.query(
      `with gone as (delete from polykeep_internal.calls where call_sid not like 'followed-%' returning id)
       delete from polykeep_internal.unsettled where call_id in (select id from gone)`,
    );
  });

  it('a sweep that has nothing to do reads the table of promises, and no call', async () => {
    const plans = await plansOf(test.pool, async () => expect(await sweep()).toEqual([]));
    const finding = plans.filter((plan) => plan.includes('on unsettled'));
    expect(finding).toHaveLength(2);
    for (const plan of finding) expect(plan).not.toMatch(/(Seq|Bitmap Heap) Scan on calls/);
    // Each sweep reads the whole of it: it has to be narrow.
    const [size] = await test.query<{ bytes: number }>(
      `select pg_table_size('polykeep_internal.unsettled')::int / 200000 as bytes`,
    );
    expect(size?.bytes).toBeLessThan(100);
  });

  it('finds each of the calls that nobody follows once, page by page, and leaves them a while', async () => {
    await insertCalls('forgotten-', 5_000, -1);
    const found = await sweep({ pageSize: 700 });
    expect(found).toHaveLength(5_000);
    expect(new Set(found).size).toBe(5_000);
    expect(await sweep()).toEqual([]);
  });

  it('finds a promise that reaches further than any honest one: the clock was set back', async () => {
    await insertCalls('of-the-future-', 3, 3_600);
    expect((await sweep()).sort()).toEqual(['of-the-future-1', 'of-the-future-2', 'of-the-future-3']);
    expect(await sweep()).toEqual([]);
  });

  it('takes up first what was forgotten first', async () => {
    await insertCalls('older-', 3, -86_400);
    await insertCalls('newer-', 3, -1);
    await insertCalls('oldest-', 1, -700_000);
    const ages = (await sweep({ pageSize: 2 })).map((callSid) => callSid.split('-')[0]);
    expect(ages).toEqual(['oldest', 'older', 'older', 'older', 'newer', 'newer', 'newer']);
  });

  it('takes them all up where nobody else can be following any', async () => {
    await insertCalls('forgotten-', 10, -1);
    expect(new Set(await sweep({ alone: true })).size).toBe(200_010);
  });

  it('leaves settled calls alone', async () => {
    const registrar = createRegistrar(test.pool);
    const writer = createWriter({ pool: test.pool, metrics: noMetrics, log });
    await registrar.register({ callSid: 'settled', account: 'default', metadata: {} });
    await writer.report({ callSid: 'settled', sighting: sightingNow('success') });
    expect(await sweep()).toEqual([]);
  });
});

describe('sweepers', () => {
  let sweepers: Rounds[];
  beforeEach(() => {
    sweepers = [];
  });
  afterEach(async () => {
    await Promise.all(sweepers.map((sweeper) => sweeper.stop()));
    await forgetCalls(test);
  });

  function start(requeue: SweeperOptions['requeue']): void {
    const sweeper = newSweeper(requeue, { pageSize: 10 });
    sweeper.start();
    sweepers.push(sweeper);
  }

  it('of many processes sweep one at a time', async () => {
    await insertCalls('forgotten-', 500, -1);
    let sweeping = 0;
    let most = 0;
    const found: string[] = [];
    for (let n = 0; n < 4; n++) {
      start(async (callSids) => {
        most = Math.max(most, ++sweeping);
        await new Promise((done) => setImmediate(done));
        found.push(...callSids);
        sweeping--;
      });
    }
    await expect.poll(() => found.length).toBe(500);
    expect(new Set(found).size).toBe(500);
    expect(most).toBe(1);
  });

  it('try again with what they could not put in the queue', async () => {
    await insertCalls('forgotten-', 3, -1);
    let attempts = 0;
    const found: string[] = [];
    start(async (callSids) => {
      if (++attempts < 3) throw new Error('the queue is away');
      found.push(...callSids);
    });
    await expect.poll(() => found.length).toBe(3);
  });
});
