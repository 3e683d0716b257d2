import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { readConfig } from '../../src/config/config.ts';
import { createRetention, type RetentionOptions } from '../../src/upkeep/retention.ts';
import { forgetCalls, storeCalls } from '../support/calls.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { silentLog as log } from '../support/log.ts';
import { plansOf } from '../support/plans.ts';

const DAY_S = 24 * 60 * 60;

let test: OpenDatabase;
const never = new AbortController().signal;
/** Ends a run that pauses, also where its test fails. */
let stopping: AbortController;

beforeAll(async () => {
  test = await openTestDatabase();
});

beforeEach(() => {
  stopping = new AbortController();
});

afterEach(async () => {
  stopping.abort();
  await forgetCalls(test);
});

afterAll(() => test.drop());

/** Each with two transitions, settled so many days ago; null: followed, registered a year ago. */
async function insertCalls(name: string, count: number, settledDaysAgo: number | null): Promise<void> {
  const end =
    settledDaysAgo === null ? {} : { outcome: 'success' as const, settledIn: -settledDaysAgo * DAY_S };
  const life = { registeredIn: -365 * DAY_S, statuses: ['queued', 'calling'], ...end };
  await storeCalls(
    test,
    Array.from({ length: count }, (_, n) => ({ callSid: `${name}${n + 1}`, ...life })),
  );
}

async function left(): Promise<Record<string, number>> {
  const rows = await test.query<{ name: string; calls: number; transitions: number }>(
    `select split_part(call_sid, '-', 1) as name, count(distinct c.id)::int as calls, count(seq)::int as transitions
       from polykeep_internal.calls c full join polykeep_internal.transitions t on t.call_id = c.id group by 1`,
  );
  for (const { calls, transitions } of rows) expect(transitions).toBe(2 * calls);
  return Object.fromEntries(rows.map(({ name, calls }) => [name, calls]));
}

const retentionOf = (options: Partial<RetentionOptions> = {}) =>
  createRetention({
    pool: test.pool,
    retentionDays: 30,
    everyMs: 10,
    clock: systemClock,
    log,
    batchSize: 1_000,
    pauseMs: 0,
    ...options,
  });

describe('retention', () => {
  it('deletes what settled longer ago, with its transitions, and never what is followed', async () => {
    await insertCalls('old-', 25, 30.01);
    await insertCalls('young-', 5, 29.99);
    await insertCalls('followed-', 5, null);
    expect(await retentionOf({ batchSize: 10 }).deleteExpired(never)).toBe(25);
    expect(await left()).toEqual({ young: 5, followed: 5 });
    expect(await retentionOf({ batchSize: 10 }).deleteExpired(never)).toBe(0);
  });

  it('deletes oldest first, and ends after a batch where it is stopped', async () => {
    await insertCalls('older-', 10, 50);
    await insertCalls('old-', 10, 40);
    const deleted = retentionOf({ batchSize: 10, pauseMs: 1_000_000 }).deleteExpired(stopping.signal);
    await expect.poll(left).toEqual({ old: 10 });
    stopping.abort();
    expect(await deleted).toBe(10);
    expect(await left()).toEqual({ old: 10 });
  });

  it('passes by what others hold, instead of waiting for it', async () => {
    await insertCalls('old-', 3, 40);
    const other = new Client({ connectionString: test.url });
    await other.connect();
    try {
      await other.query('begin');
      await other.query(`select from polykeep_internal.calls where call_sid = 'old-2' for update`);
      expect(await retentionOf().deleteExpired(never)).toBe(2);
      await other.query('commit');
    } finally {
      await other.end();
    }
    expect(await retentionOf().deleteExpired(never)).toBe(1);
  });

  it('is done by one process at a time, and by another when that is through', async () => {
    await insertCalls('old-', 20, 40);
    const first = retentionOf({ batchSize: 10, pauseMs: 1_000_000 }).deleteExpired(stopping.signal);
    await expect.poll(left).toEqual({ old: 10 });
    expect(await retentionOf().deleteExpired(never)).toBeNull();
    stopping.abort();
    await first;
    expect(await retentionOf().deleteExpired(never)).toBe(10);
  });

  it('finds the calls by an index, and deletes them by the key', async () => {
    await insertCalls('old-', 500, 40);
    await insertCalls('young-', 20_000, 1);
    await test.query('vacuum analyze polykeep_internal.calls, polykeep_internal.transitions');
    const plans = await plansOf(test.pool, () => retentionOf().deleteExpired(never));
    const walk = plans.find((plan) => plan.includes('LockRows'));
    expect(walk).toMatch(/Index Scan (using calls_pkey|on calls_by_settlement)/);
    const deletion = plans.find((plan) => plan.startsWith('Delete'));
    expect(deletion).toContain('calls_pkey');
    expect(deletion).toContain('transitions_by_call');
    expect(deletion).not.toMatch(/Seq Scan on (calls|transitions)/);
  });

  it('runs again and again, and logs one line for a run that deleted something', async () => {
    await insertCalls('old-', 25, 40);
    const lines: unknown[] = [];
    const retention = retentionOf({
      batchSize: 10,
      log: Object.assign(Object.create(log), { info: (fields: unknown) => lines.push(fields) }),
    });
    retention.start();
    await expect.poll(left).toEqual({});
    await insertCalls('older-', 5, 50);
    await expect.poll(left).toEqual({});
    await retention.stop();
    expect(lines).toEqual([{ calls: 25 }, { calls: 5 }]);
  });
});

describe('RETENTION_DAYS', () => {
  const read = (days: string) =>
    readConfig('migrate', { DATABASE_URL: 'postgres://localhost/x', RETENTION_DAYS: days }).RETENTION_DAYS;

  it('is a whole number of days; without it calls are kept for ever', () => {
    expect(read('90')).toBe(90);
    expect(read('')).toBeUndefined();
    for (const bad of ['0', '-1', '1.5', 'never'])
      expect(() => read(bad)).toThrow(/^RETENTION_DAYS: must be/);
  });
});
