import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createUnsettledCalls, type UnsettledCalls } from '../../src/archive/read/unsettled.ts';
import { createWriter } from '../../src/archive/write/writer.ts';
import { KNOWN_STATUSES } from '../../src/call/lifecycle.ts';
import { createMetrics, type Metrics, type Watched } from '../../src/metrics/all-metrics.ts';
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

const NOTHING = { accounts: { all: () => [] }, writer: { isAway: false }, archive: { isUp: true } };
const EMPTY_QUEUE: Watched['queue'] = {
  followed: 0,
  state: async () => 'up',
  depth: async () => ({ active: 0, waiting: 0, delayed: 0 }),
};

function watching(unsettled: UnsettledCalls, queue = EMPTY_QUEUE): Metrics {
  const metrics = createMetrics('serve');
  metrics.watch({ ...NOTHING, queue, unsettled });
  return metrics;
}

const told = async (metrics: Metrics) => new Scrape((await metrics.text()).body);

describe('the archive', () => {
  it('tells unsettled calls by status, which are at risk, and how long the oldest waits', async () => {
    await test.query(
      `insert into calls (call_sid, account, status, registered_at, last_seen_at, settled_at)
       select call_sid, account, status, now() - registered::interval, now() - seen::interval, now() - settled::interval
         from (values ('seen long ago', 'us', 'calling', '3 h', '31 min', null),
                      ('never seen', 'us', null, '50 min', null, null),
                      ('seen lately', 'us', 'queued', '3 h', '29 min', null),
                      ('odd', 'us', 'on hold', '10 s', '1 s', null),
                      ('settled', 'us', 'success', '9 h', '8 h', '8 h'),
                      ('ahead', 'uk', 'queued', '1 s', '-10 s', null))
              as seed(call_sid, account, status, registered, seen, settled)`,
    );
    const scrape = await told(watching(createUnsettledCalls(test.pool, KNOWN_STATUSES)));
    expect(scrape.value('polykeep_archive_up')).toBe(1);
    const us = { account: 'us' };
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

  it('is asked by the index of unsettled calls, however many are settled', async () => {
    await test.query(
      `insert into calls (call_sid, account, status, outcome, settled_at)
       select 'settled-' || n, 'us', 'success', 'success', now() from generate_series(1, 20000) n`,
    );
    await test.query('analyze calls');
    const { read } = createUnsettledCalls(test.pool, KNOWN_STATUSES);
    const [plan] = await plansOf(test.pool, read);
    expect(plan).toMatch(/Index Scan (using|on) calls_unsettled/);
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
  await test.query(
    `insert into calls (call_sid, account) values ('good', 'us'), ('partly', 'us'), ('bad', 'us')`,
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
