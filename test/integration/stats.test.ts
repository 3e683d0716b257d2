import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createStats } from '../../src/archive/read/statistics.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { plansOf } from '../support/plans.ts';
import { serverOn } from '../support/server.ts';

let test: OpenDatabase;
let app: FastifyInstance;

beforeAll(async () => {
  test = await openTestDatabase();
  app = serverOn(test, test.url);
});

afterAll(async () => {
  await app.close();
  await test.drop();
});

beforeEach(() => test.query('truncate calls cascade'));

const get = (query: Record<string, string>) =>
  app.inject({ method: 'GET', url: `/v1/stats?${new URLSearchParams(query)}` });
const plus = (time: string, seconds: number) => new Date(Date.parse(time) + seconds * 1000).toISOString();

interface Seed {
  at: string;
  account?: string;
  metadata?: Record<string, string>;
  outcome?: string | null;
  /** Each status with the second after registration at which it was seen, and PolyAI's own, if it gave one. */
  history?: [status: string, observed: number, polyai?: number][];
}

let next = 0;

async function seed({ at, account = 'default', metadata = {}, outcome = null, history = [] }: Seed) {
  const callSid = `OUT-${next++}`;
  await test.query(
    `insert into calls (call_sid, account, metadata, registered_at, outcome, settled_at)
     values ($1, $2, $3, $4, $5, case when $5::text is null then null else now() end)`,
    [callSid, account, metadata, at, outcome],
  );
  for (const [index, [status, observed, polyai]] of history.entries()) {
    await test.query(
      `insert into transitions (call_sid, seq, status, observed_at, last_updated, payload)
       values ($1, $2, $3, $4, $5, '{}')`,
      [callSid, index + 1, status, plus(at, observed), polyai === undefined ? null : plus(at, polyai)],
    );
  }
}

const NONE = { success: 0, failure: 0, not_found: 0, lost: 0, rejected: 0, abandoned: 0, none: 0 };
const NOVEMBER = { registeredFrom: '2026-11-01T00:00:00Z', registeredTo: '2026-12-01T00:00:00Z' };

describe('GET /v1/stats', () => {
  it('counts by outcome and day, with the success rate of what ended', async () => {
    const outcomes = ['success', 'success', 'failure', 'not_found', 'lost', 'rejected', 'abandoned', null];
    for (const outcome of outcomes) await seed({ at: '2026-11-03T10:00:00Z', outcome });
    await seed({ at: '2026-11-02T23:59:59.999Z' });
    await seed({ at: '2026-12-01T00:00:00Z' });
    const response = await get(NOVEMBER);
    expect(response.json()).toEqual({
      timezone: 'UTC',
      bucket: 'day',
      data: [
        {
          bucket: '2026-11-02T00:00:00.000Z',
          group: null,
          calls: 1,
          outcomes: { ...NONE, none: 1 },
          successRate: null,
          seconds: { queued: null, calling: null },
        },
        {
          bucket: '2026-11-03T00:00:00.000Z',
          group: null,
          calls: 8,
          outcomes: {
            success: 2,
            failure: 1,
            not_found: 1,
            lost: 1,
            rejected: 1,
            abandoned: 1,
            none: 1,
          },
          successRate: 2 / 3,
          seconds: { queued: null, calling: null },
        },
      ],
    });
  });

  it('is of the last 30 days unless told otherwise', async () => {
    const day = 86_400;
    const now = new Date().toISOString();
    for (const days of [0.01, 29.9, 30.1]) await seed({ at: plus(now, -days * day) });
    const { data } = (await get({})).json();
    expect(data.reduce((sum: number, { calls }: { calls: number }) => sum + calls, 0)).toBe(2);
  });

  it('of the first days that there are begins with the first', async () => {
    expect((await get({ registeredTo: '0001-01-02T00:00:00Z' })).json()).toMatchObject({ data: [] });
  });

  it('begins days where the time zone begins them, also when the clocks change', async () => {
    // Berlin goes back to winter time on 25 October 2026, so that day has 25 hours.
    const times = ['24T21:59:59Z', '24T22:00:00Z', '25T22:59:59Z', '25T23:00:00Z'];
    for (const time of times) await seed({ at: `2026-10-${time}` });
    const range = { registeredFrom: '2026-10-20T00:00:00Z', registeredTo: '2026-10-30T00:00:00Z' };
    const { data } = (await get({ ...range, timezone: 'Europe/Berlin' })).json();
    expect(data.map(({ bucket, calls }: { bucket: string; calls: number }) => [bucket, calls])).toEqual([
      ['2026-10-23T22:00:00.000Z', 1],
      ['2026-10-24T22:00:00.000Z', 2],
      ['2026-10-25T23:00:00.000Z', 1],
    ]);
  });

  it('keeps the hour that comes twice apart', async () => {
    for (const time of ['00:30', '00:59', '01:00', '01:30']) await seed({ at: `2026-10-25T${time}:00Z` });
    const range = { registeredFrom: '2026-10-25T00:00:00Z', registeredTo: '2026-10-25T12:00:00Z' };
    const { data } = (await get({ ...range, timezone: 'Europe/Berlin', bucket: 'hour' })).json();
    expect(data.map(({ bucket, calls }: { bucket: string; calls: number }) => [bucket, calls])).toEqual([
      ['2026-10-25T00:00:00.000Z', 2],
      ['2026-10-25T01:00:00.000Z', 2],
    ]);
  });

  it('groups by account or metadata, calls without the key last', async () => {
    await seed({ at: '2026-11-03T10:00:00Z', account: 'uk', metadata: { campaign: 'b' } });
    await seed({ at: '2026-11-03T10:00:00Z', account: 'uk', metadata: { campaign: 'B' } });
    await seed({ at: '2026-11-03T10:00:00Z', account: 'us' });
    const groups = async (query: Record<string, string>) =>
      (await get({ ...NOVEMBER, ...query }))
        .json()
        .data.map(({ group, calls }: { group: string | null; calls: number }) => [group, calls]);
    expect(await groups({ groupBy: 'account' })).toEqual([
      ['uk', 2],
      ['us', 1],
    ]);
    expect(await groups({ groupBy: 'metadata.campaign' })).toEqual([
      ['B', 1],
      ['b', 1],
      [null, 1],
    ]);
    expect(await groups({ groupBy: 'account', 'metadata.campaign': 'b' })).toEqual([['uk', 1]]);
    expect(await groups({ account: 'us' })).toEqual([[null, 1]]);
  });

  it('gives the percentiles of finished stays', async () => {
    const at = '2026-11-03T10:00:00Z';
    const random = (index: number) => ((index * 7919) % 101) + 0.25;
    const queued: number[] = [];
    const calling: number[] = [];
    for (let index = 0; index < 60; index++) {
      const [inQueue, inCall] = [random(index), random(index + 60)];
      queued.push(inQueue);
      calling.push(inCall);
      const history: Seed['history'] = [
        ['queued', 1],
        ['calling', 1 + inQueue],
        ['success', 1 + inQueue + inCall],
      ];
      await seed({ at, outcome: 'success', history });
    }
    const [row] = (await get(NOVEMBER)).json().data;
    expect(row.calls).toBe(60);
    for (const [status, seconds] of [
      ['queued', queued],
      ['calling', calling],
    ] as const) {
      expect(row.seconds[status].p50).toBeCloseTo(percentile(seconds, 0.5), 6);
      expect(row.seconds[status].p90).toBeCloseTo(percentile(seconds, 0.9), 6);
      expect(row.seconds[status].p99).toBeCloseTo(percentile(seconds, 0.99), 6);
    }
  });

  it('counts the stays of a call that a worker with a slow clock followed', async () => {
    await seed({
      at: NOVEMBER.registeredFrom,
      history: [
        ['queued', -3_600],
        ['calling', -3_590],
      ],
    });
    const [row] = (await get(NOVEMBER)).json().data;
    expect(row.seconds.queued.p50).toBe(10);
  });

  it.each<[string, Seed['history'], number | null, number | null]>([
    [
      'PolyAI’s own times where both have one',
      [
        ['queued', 2, 1],
        ['calling', 9, 5],
      ],
      4,
      null,
    ],
    [
      'the polls where one has none',
      [
        ['queued', 2, 1],
        ['calling', 9],
        ['success', 20, 15],
      ],
      7,
      11,
    ],
    ['no stay that goes on', [['queued', 2]], null, null],
    [
      'never less than nothing',
      [
        ['queued', 2, 9],
        ['failure', 9, 8],
      ],
      0,
      null,
    ],
    [
      'exactly these statuses',
      [
        ['created', 1],
        ['ringing', 5],
        ['success', 9],
      ],
      null,
      null,
    ],
  ])('takes %s', async (_, history = [], queued, calling) => {
    await seed({ at: '2026-11-03T10:00:00Z', history });
    const [row] = (await get(NOVEMBER)).json().data;
    expect(row.calls).toBe(1);
    expect([row.seconds.queued?.p50 ?? null, row.seconds.calling?.p99 ?? null]).toEqual([queued, calling]);
  });
});

/** By linear interpolation between the closest ranks. */
function percentile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = fraction * (sorted.length - 1);
  const [low = 0, high = low] = [sorted[Math.floor(rank)], sorted[Math.ceil(rank)]];
  return low + (high - low) * (rank - Math.floor(rank));
}

describe('bad questions', () => {
  it.each([
    ['timezone=Europe/Nowhere', 'timezone'],
    ['timezone=%2B02:00', 'timezone'],
    ['timezone=CET', 'timezone'],
    ['timezone=', 'timezone'],
    ['timezone=%00', 'timezone'],
    ['bucket=week', 'bucket'],
    ['groupBy=outcome', 'groupBy'],
    ['groupBy=metadata.', 'groupBy'],
    ['groupBy=metadata.%00', 'groupBy'],
    ['registeredFrom=yesterday', 'registeredFrom'],
    ['status=queued', 'status'],
    ['bucket=hour&registeredFrom=2020-01-01T00:00:00Z', 'bucket'],
    ['registeredFrom=1900-01-01T00:00:00Z', 'bucket'],
  ])('?%s: 400 that names %s', async (query, field) => {
    const response = await app.inject({ method: 'GET', url: `/v1/stats?${query}` });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ code: 'invalid_request', errors: [{ field }] });
  });

  it('more groups than an answer may have: 400', async () => {
    const few = serverOn(test, test.url, { stats: createStats(test.pool, { maxRows: 2 }) });
    for (const id of ['a', 'b', 'c']) await seed({ at: new Date().toISOString(), metadata: { id } });
    const response = await few.inject({ method: 'GET', url: '/v1/stats?groupBy=metadata.id' });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ errors: [{ field: 'groupBy' }] });
    expect((await few.inject({ method: 'GET', url: '/v1/stats' })).statusCode).toBe(200);
    await few.close();
  });

  it('one that takes too long is stopped in Postgres: 503', async () => {
    const hasty = serverOn(test, test.url, { stats: createStats(test.pool, { timeoutMs: 50 }) });
    // What waits for a lock takes long for sure.
    const holder = await test.pool.connect();
    await holder.query(
      'begin; set local idle_in_transaction_session_timeout = 0; lock table calls in access exclusive mode',
    );
    const response = await hasty.inject({ method: 'GET', url: '/v1/stats' });
    await holder.query('rollback');
    holder.release();
    expect(response.statusCode).toBe(503);
    expect(response.json()).toMatchObject({ code: 'stats_too_slow' });
    expect(response.headers['retry-after']).toBe('5');
    await hasty.close();
  });
});

it('finds a day of a long archive by the index', async () => {
  await test.query(`
    insert into calls (call_sid, account, registered_at)
    select 'bulk-' || n, 'default', timestamptz '2026-01-01Z' + n * interval '5 minutes'
      from generate_series(1, 50000) n`);
  await test.query('analyze calls');
  const day = {
    registeredFrom: new Date('2026-02-01T00:00:00Z'),
    registeredTo: new Date('2026-02-02T00:00:00Z'),
  };
  const { read } = createStats(test.pool, { maxRows: 9 });
  const [plan] = await plansOf(test.pool, () =>
    read({ filter: day, bucket: 'hour', timeZone: 'Europe/Berlin', groupBy: null }).catch(() => {}),
  );
  expect(plan).toContain('calls_newest_first');
  expect(plan).not.toContain('Seq Scan on calls');
});
