import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { Rounds } from '../../src/upkeep/rounds.ts';
import { createSweeper, type SweeperOptions } from '../../src/upkeep/sweeper.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { silentLog as log } from '../support/log.ts';
import { noMetrics } from '../support/metrics.ts';

let test: OpenDatabase;

beforeAll(async () => {
  test = await openTestDatabase();
});

afterAll(() => test.drop());

/** Unsettled calls, promised to be followed for some seconds from now. */
async function insertCalls(name: string, count: number, promisedForSeconds: number): Promise<void> {
  await test.query(
    `insert into calls (call_sid, account, followed_until)
     select $1 || n, 'default', now() + $3 * interval '1 s' from generate_series(1, $2) n`,
    [name, count, promisedForSeconds],
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
    await test.query('vacuum analyze calls');
  });

  afterEach(async () => {
    await test.query(`delete from calls where call_sid not like 'followed-%'`);
  });

  it('a sweep that has nothing to do reads a few pages of the partial index', async () => {
    expect(await sweep()).toEqual([]);
    for (const range of [
      `('-infinity'::timestamptz, '') and followed_until < now()`,
      `(now() + interval '600 s', '') and followed_until < 'infinity'`,
    ]) {
      const plan = await test.query<{ 'QUERY PLAN': unknown }>(
        `explain (analyze, buffers, format json)
         select call_sid, followed_until from calls
          where settled_at is null and (followed_until, call_sid) > ${range}
          order by followed_until, call_sid limit 1000`,
      );
      const [{ 'QUERY PLAN': text } = { 'QUERY PLAN': null }] = plan;
      const json = JSON.stringify(text);
      expect(json).toContain('calls_unsettled');
      expect(Number(/"Shared Hit Blocks":(\d+)/.exec(json)?.[1])).toBeLessThan(20);
      expect(json).not.toContain('"Node Type":"Sort"');
    }
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
    await insertCalls('settled-', 10, -1);
    await test.query(
      `update calls set settled_at = now(), outcome = 'success' where call_sid like 'settled-%'`,
    );
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
    await test.query('delete from calls');
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
