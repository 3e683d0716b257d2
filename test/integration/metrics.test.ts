import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createUnfoldedChanges } from '../../src/archive/read/unfolded.ts';
import { createUnsettledCalls, type UnsettledCalls } from '../../src/archive/read/unsettled.ts';
import { createWriter } from '../../src/archive/write/writer.ts';
import { KNOWN_STATUSES } from '../../src/call/lifecycle.ts';
import { createMetrics, type Metrics, type Watched } from '../../src/metrics/all-metrics.ts';
import { readBacklog } from '../../src/push/backlog.ts';
import { storeCalls } from '../support/calls.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { silentLog as log } from '../support/log.ts';
import { plansOf } from '../support/plans.ts';
import { Scrape } from '../support/prometheus.ts';
import { sightingNow } from '../support/sighting.ts';

let test: OpenDatabase;

beforeAll(async () => {
  test = await openTestDatabase();
});

afterAll(() => test.drop());

const NOTHING = {
  unfolded: { read: async () => 0 },
  accounts: { all: () => [] },
  writer: { isAway: false },
  archive: { isUp: true },
};
const EMPTY_QUEUE: Watched['queue'] = {
  followed: 0,
  state: async () => 'up',
  depth: async () => ({ active: 0, waiting: 0, delayed: 0 }),
};

function watching(unsettled: UnsettledCalls, queue = EMPTY_QUEUE): Metrics {
  const metrics = createMetrics('serve');
  metrics.watch({ ...NOTHING, queue, unsettled, backlog: () => readBacklog(test.pool) });
  return metrics;
}

const told = async (metrics: Metrics) => new Scrape((await metrics.text()).body);

it('tells how many changes of statistics are not folded, and nothing where Postgres does not', async () => {
  const insert = `insert into polykeep_internal.rollup_changes
                         (bucket, key, account, outcome, calls, settle_ms, polls, failed_polls, sign, is_retired)
                  select 0, 0, 1, 0, 1, 0, 0, 0, 1, false from generate_series(1, 3)`;
  await test.query(insert);
  let unfolded = createUnfoldedChanges(test.pool);
  const metrics = createMetrics('serve');
  const unsettled = { read: async () => [] };
  const read = { unfolded: { read: () => unfolded.read() }, backlog: () => readBacklog(test.pool) };
  metrics.watch({ ...NOTHING, queue: EMPTY_QUEUE, unsettled, ...read });
  expect((await told(metrics)).value('polykeep_rollup_changes')).toBe(3);
  unfolded = { read: () => Promise.reject(new Error('away')) };
  expect((await told(metrics)).value('polykeep_rollup_changes')).toBeNull();
});

describe('the archive', () => {
  it('tells unsettled calls by status, which are at risk, and how long the oldest waits', async () => {
    const us = { account: 'us' };
    await storeCalls(test, [
      { ...us, callSid: 'seen long ago', status: 'calling', registeredIn: -10_800, lastSeenIn: -31 * 60 },
      { ...us, callSid: 'never seen', registeredIn: -50 * 60 },
      { ...us, callSid: 'seen lately', status: 'queued', registeredIn: -10_800, lastSeenIn: -29 * 60 },
      { ...us, callSid: 'odd', status: 'on hold', registeredIn: -10, lastSeenIn: -1 },
      { ...us, callSid: 'settled', status: 'success', outcome: 'success', lastSeenIn: -28_800 },
      { account: 'uk', callSid: 'ahead', status: 'queued', registeredIn: -1, lastSeenIn: 10 },
    ]);
    const scrape = await told(watching(createUnsettledCalls(test.pool, KNOWN_STATUSES)));
    expect(scrape.value('polykeep_archive_up')).toBe(1);
    expect(scrape.value('polykeep_calls_at_risk', us)).toBe(2);
    expect(scrape.value('polykeep_calls_at_risk', { account: 'uk' })).toBe(0);
    const oldest = scrape.value('polykeep_oldest_unpolled_seconds', us) ?? 0;
    expect(oldest).toBeGreaterThanOrEqual(50 * 60);
    expect(oldest).toBeLessThan(60 * 60);
    expect(scrape.value('polykeep_oldest_unpolled_seconds', { account: 'uk' })).toBe(0);
    for (const status of ['calling', 'queued', 'none', 'other'])
      expect(scrape.value('polykeep_calls_unsettled', { ...us, status })).toBe(1);
    expect(scrape.value('polykeep_calls_unsettled', us)).toBe(4);
  });

  it('is asked by the few rows of unsettled calls, however many are settled', async () => {
    const settled = { account: 'us', status: 'success', outcome: 'success' } as const;
    await storeCalls(
      test,
      Array.from({ length: 20_000 }, (_, n) => ({ ...settled, callSid: `settled-${n}` })),
    );
    await test.query('analyze polykeep_internal.calls, polykeep_internal.unsettled');
    const { read } = createUnsettledCalls(test.pool, KNOWN_STATUSES);
    const [plan] = await plansOf(test.pool, read);
    expect(plan).toContain('Seq Scan on unsettled');
    expect(plan).toContain('Index Scan using calls_pkey on calls');
  });

  it('is asked once for scrapes that come close together', async () => {
    let asked = 0;
    const metrics = watching({
      async read() {
        asked++;
        return [];
      },
    });
    await Promise.all([metrics.text(), metrics.text()]);
    await metrics.text();
    expect(asked).toBe(1);
  });

  it('that does not answer holds up no scrape; nor does the queue', async () => {
    const hung = { read: () => new Promise<never>(() => {}) };
    const scrape = await told(
      watching(hung, { followed: 3, state: async () => 'down', depth: async () => null }),
    );
    expect(scrape.value('polykeep_calls_at_risk')).toBeNull();
    expect(scrape.value('polykeep_queue_up')).toBe(0);
    expect(scrape.value('polykeep_queue_calls')).toBeNull();
    expect(scrape.value('polykeep_calls_followed')).toBe(3);
  });

  it('that is too slow to count is not away, and tells no numbers', async () => {
    const slow = {
      read: async () => (await test.pool.query(`set statement_timeout = 10; select pg_sleep(9)`)).rows,
    };
    const scrape = await told(watching(slow));
    expect(scrape.value('polykeep_archive_up')).toBe(1);
    expect(scrape.value('polykeep_calls_at_risk')).toBeNull();
  });
});

it('a report that Postgres refuses counts once, by what is kept of it, and takes none of its batch with it', async () => {
  const metrics = createMetrics('worker');
  const writer = createWriter({ pool: test.pool, metrics: metrics.writes, log });
  await storeCalls(
    test,
    ['good', 'partly', 'bad'].map((callSid) => ({ callSid, account: 'us' })),
  );
  const reports = Object.entries({
    good: sightingNow('queued'),
    partly: sightingNow('queued', 'a \u0000 in it'),
    bad: sightingNow('a \u0000 in it'),
  }).map(([callSid, sighting]) => writer.report({ callSid, sighting }));
  expect((await Promise.allSettled(reports)).map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'rejected',
  ]);
  const scrape = await told(metrics);
  expect(scrape.value('polykeep_write_failures_total', { kind: 'refused' })).toBe(1);
  expect(scrape.value('polykeep_write_failures_total', { kind: 'reduced' })).toBe(1);
  expect(scrape.value('polykeep_transitions_total', { account: 'us', status: 'queued' })).toBe(2);
  expect(scrape.value('polykeep_write_reports_sum')).toBe(2);
});
