import fc from 'fast-check';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BUCKETS, bucketStarts } from '../../src/archive/read/buckets.ts';
import { createStats } from '../../src/archive/read/statistics.ts';
import { statsOfCalls } from '../../src/archive/read/stats-of-calls.ts';
import { statsOfRollups } from '../../src/archive/read/stats-of-rollups.ts';
import type { Stats, StatsQuestion, StatsTask } from '../../src/archive/read/stats-question.ts';
import { inTransaction } from '../../src/archive/transaction.ts';
import { addToRollups } from '../../src/archive/write/rollup-changes.ts';
import { systemClock } from '../../src/clock.ts';
import { createRollups } from '../../src/upkeep/rollups.ts';
import { createStatsKeys } from '../../src/upkeep/stats-keys.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { silentLog as log } from '../support/log.ts';
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

beforeEach(() =>
  test.query(`truncate polykeep_internal.calls, polykeep_internal.transitions, polykeep_internal.rollups,
                       polykeep_internal.rollup_changes, polykeep_internal.stats_keys`),
);

const fold = () =>
  createRollups({ pool: test.pool, everyMs: 10, clock: systemClock, log }).fold(new AbortController().signal);

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

const QUEUED_FOR_A_SECOND: Seed['history'] = [
  ['queued', 1],
  ['calling', 2],
];

let next = 0;

/** As the writer leaves it, with what it counts for; one with an outcome settled with its last status. */
async function seed({ at, account = 'default', metadata = {}, outcome = null, history = [] }: Seed) {
  const statuses = history.map(([status]) => status);
  await test.query(
    `insert into polykeep_internal.statuses (name) select distinct unnest($1::text[]) on conflict do nothing`,
    [statuses],
  );
  await test.query('insert into polykeep_internal.accounts (name) values ($1) on conflict do nothing', [
    account,
  ]);
  const settled = outcome === null ? null : plus(at, history.at(-1)?.[1] ?? 20);
  await inTransaction(test.pool, 'begin', async (client) => {
    const { rows } = await client.query<{ id: string }>(
      `insert into polykeep_internal.calls (call_sid, account, metadata, registered_at, outcome, settled_at)
       select $1, a.id, $3, $4, (select id from polykeep_internal.outcomes where name = $5), $6
         from polykeep_internal.accounts a where name = $2
       returning id`,
      [`OUT-${next++}`, account, metadata, at, outcome, settled],
    );
    const ids = rows.map(({ id }) => id);
    for (const [index, [status, observed, polyai]] of history.entries()) {
      await client.query(
        `insert into polykeep_internal.transitions (call_id, seq, status, observed_at, last_updated, payload)
         select $1, $2, s.id, $4, $5, '{}' from polykeep_internal.statuses s where name = $3`,
        [ids[0], index + 1, status, plus(at, observed), polyai === undefined ? null : plus(at, polyai)],
      );
    }
    await addToRollups(client, ids);
  });
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
      percentiles: 'within 1 %',
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

  it('groups by the reason that PolyAI gave', async () => {
    for (const outcome of ['failure', 'failure', 'success'])
      await seed({ at: '2026-11-03T10:00:00Z', outcome, history: QUEUED_FOR_A_SECOND });
    await test.query(
      `update polykeep_internal.calls set reason = 'no answer'
        where outcome = (select id from polykeep_internal.outcomes where name = 'failure')`,
    );
    const { data } = (await get({ ...NOVEMBER, groupBy: 'reason' })).json();
    expect(data).toMatchObject([
      { group: 'no answer', calls: 2, outcomes: { failure: 2 } },
      { group: null, calls: 1, outcomes: { failure: 0 } },
    ]);
    expect(data[0].seconds.queued).toEqual({ p50: 1, p90: 1, p99: 1 });
    const counted = (await get({ ...NOVEMBER, groupBy: 'reason', seconds: 'false' })).json().data;
    const withoutSeconds = { queued: null, calling: null };
    expect(counted).toEqual(data.map((row: object) => ({ ...row, seconds: withoutSeconds })));
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
      for (const [name, fraction] of [
        ['p50', 0.5],
        ['p90', 0.9],
        ['p99', 0.99],
      ] as const) {
        const exact = percentile(seconds, fraction);
        expect(Math.abs(row.seconds[status][name] - exact)).toBeLessThanOrEqual(exact / 100);
      }
    }
  });

  it('counts the stays of a call that a worker with a slow clock followed', async () => {
    await seed({
      at: NOVEMBER.registeredFrom,
      outcome: 'lost',
      history: [
        ['queued', -3_600],
        ['calling', -3_590],
      ],
    });
    const [row] = (await get(NOVEMBER)).json().data;
    expect(row.seconds.queued.p50).toBeCloseTo(10, 0);
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
    // Rollups do not know of the key: the calls are asked.
    await seed({ at: '2026-11-03T10:00:00Z', outcome: 'success', history, metadata: { id: '1' } });
    for (const filter of [{}, { 'metadata.id': '1' }]) {
      const [row] = (await get({ ...NOVEMBER, ...filter })).json().data;
      expect(row.calls).toBe(1);
      for (const [status, seconds] of [
        ['queued', queued],
        ['calling', calling],
      ] as const) {
        if (seconds === null) expect(row.seconds[status]).toBeNull();
        else expect(row.seconds[status].p99 / (seconds || 1)).toBeCloseTo(seconds === 0 ? 0 : 1, 1.7);
      }
    }
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
    ['bucket=minute', 'bucket'],
    ['bucket=week&registeredFrom=1800-01-01T00:00:00Z', 'bucket'],
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
      'begin; set local idle_in_transaction_session_timeout = 0; lock table polykeep_internal.rollups in access exclusive mode',
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

describe('from rollups', () => {
  const sum = (data: { calls: number }[]) => data.reduce((sum, { calls }) => sum + calls, 0);

  it('answers the same before and after the changes are folded', async () => {
    for (let hour = 0; hour < 50; hour++) {
      const at = plus(NOVEMBER.registeredFrom, hour * 3_600);
      await seed({
        at,
        outcome: hour % 3 === 0 ? null : 'success',
        history: [
          ['queued', 1],
          ['success', 5 + hour],
        ],
      });
    }
    const ask = async () => (await get({ ...NOVEMBER, timezone: 'Asia/Kathmandu', bucket: 'day' })).json();
    const before = await ask();
    expect(sum(before.data)).toBe(50);
    expect(await fold()).toBeGreaterThan(0);
    expect(await ask()).toEqual(before);
  });

  it('counts the calls of a part of a quarter exactly', async () => {
    for (const time of [
      '10:07:29.999',
      '10:07:30',
      '10:14',
      '10:15',
      '12:29',
      '12:30',
      '12:37:29.999',
      '12:37:30',
    ])
      await seed({ at: `2026-11-03T${time}Z`, account: time < '12' ? 'uk' : 'us' });
    await fold();
    const range = { registeredFrom: '2026-11-03T10:07:30Z', registeredTo: '2026-11-03T12:37:30Z' };
    expect(sum((await get({ ...range, bucket: 'hour' })).json().data)).toBe(6);
    expect(sum((await get({ ...range, account: 'us' })).json().data)).toBe(3);
    const short = { registeredFrom: '2026-11-03T10:07:30Z', registeredTo: '2026-11-03T10:15:00Z' };
    expect((await get(short)).json()).toMatchObject({ percentiles: 'exact', data: [{ calls: 2 }] });
  });

  it('knows what was asked for by a key of STATS_BY', async () => {
    const { addMissing } = createStatsKeys({
      pool: test.pool,
      keys: ['campaign'],
      everyMs: 10,
      clock: systemClock,
      log,
    });
    await addMissing();
    for (const campaign of ['a', 'a', 'b', ''])
      await seed({ at: '2026-11-03T10:00:00Z', metadata: { campaign } });
    await seed({ at: '2026-11-03T10:00:00Z', account: 'uk', metadata: { other: 'x' } });
    const ask = async (query: Record<string, string>) => (await get({ ...NOVEMBER, ...query })).json();
    for (const folded of [false, true]) {
      if (folded) await fold();
      const { percentiles, data } = await ask({ groupBy: 'metadata.campaign' });
      expect(percentiles).toBe('within 1 %');
      expect(data.map(({ group, calls }: { group: string; calls: number }) => [group, calls])).toEqual([
        ['', 1],
        ['a', 2],
        ['b', 1],
        [null, 1],
      ]);
      for (const [query, calls, from] of [
        [{ 'metadata.campaign': 'a' }, 2, 'within 1 %'],
        [{ 'metadata.campaign': 'a', groupBy: 'account' }, 2, 'within 1 %'],
        [{ 'metadata.campaign': 'c' }, 0, 'within 1 %'],
        [{ account: 'uk', groupBy: 'metadata.campaign' }, 1, 'within 1 %'],
        [{ account: 'nobody' }, 0, 'within 1 %'],
        [{ 'metadata.other': 'x' }, 1, 'exact'],
        [{ 'metadata.campaign': 'a', groupBy: 'metadata.other' }, 2, 'exact'],
      ] as const) {
        const answer = await ask(query);
        expect({ query, calls: sum(answer.data), from: answer.percentiles }).toEqual({ query, calls, from });
      }
    }
  });

  it('says the same as the calls, in any zone and of any time', async () => {
    await seedMany(3_000);
    const { addMissing, fill } = createStatsKeys({
      pool: test.pool,
      keys: ['campaign'],
      everyMs: 10,
      clock: systemClock,
      log,
    });
    await addMissing();
    await fill(new AbortController().signal);
    await fold();
    await seedMany(300);
    await fc.assert(
      fc.asyncProperty(questions, async (question) => {
        const task = taskOf(question);
        const [rollups, calls] = await inTransaction(test.pool, 'begin', async (client) => [
          await statsOfRollups(client, task),
          await statsOfCalls(client, task),
        ]);
        if (rollups !== null) expectSame(rollups, calls);
      }),
      { numRuns: 150 },
    );
  });

  it('reads no call where the time is whole quarters', async () => {
    await seed({ at: '2026-11-03T10:00:00Z' });
    const { read } = createStats(test.pool);
    const from = new Date(NOVEMBER.registeredFrom);
    const filter = { registeredFrom: from, registeredTo: new Date(NOVEMBER.registeredTo) };
    const plans = await plansOf(test.pool, () =>
      read({
        filter,
        bucket: 'day',
        timeZone: 'Europe/Berlin',
        groupBy: { account: true },
        withSeconds: true,
      }),
    );
    expect(plans.join()).not.toMatch(/on (calls|transitions)/);
    expect(plans.join()).toContain('rollup_changes');
  });
});

/** Calls of forty days, three accounts and campaigns, with lives as PolyAI shows them. */
async function seedMany(calls: number): Promise<void> {
  await test.query(
    `insert into polykeep_internal.accounts (name) values ('default'), ('uk'), ('us') on conflict do nothing`,
  );
  await test.query(
    `insert into polykeep_internal.statuses (name) values ('queued'), ('calling'), ('success') on conflict do nothing`,
  );
  await inTransaction(test.pool, 'begin', async (client) => {
    const { rows } = await client.query<{ id: string }>(
      `insert into polykeep_internal.calls (call_sid, account, metadata, registered_at, outcome, settled_at, polls)
       select 'many-' || $2 || '-' || n, (select min(id) from polykeep_internal.accounts) + n % 3,
              case when n % 11 > 0 then jsonb_build_object('campaign', 'c' || n % 3) else '{}' end, at,
              nullif(n % 5, 0), case when n % 5 > 0 then at + random() * interval '500 s' end, n % 9
         from generate_series(1, $1::int) n,
              lateral (select timestamptz '2026-10-10Z' + (n * 0 + random()) * interval '40 days' as at) t
       returning id`,
      [calls, next++],
    );
    const ids = rows.map(({ id }) => id);
    await client.query(
      `insert into polykeep_internal.transitions (call_id, seq, status, observed_at, payload)
       select c.id, seq, s.id, c.registered_at + seq * random() * interval '100 s', '{}'
         from polykeep_internal.calls c, generate_series(1, 3) seq,
              lateral (select id from polykeep_internal.statuses
                        where name = (array['queued', 'calling', 'success'])[seq]) s
        where c.id = any($1::int8[])`,
      [ids],
    );
    await addToRollups(client, ids);
  });
}

const time = fc
  .integer({ min: Date.parse('2026-10-08Z') / 1000, max: Date.parse('2026-11-22Z') / 1000 })
  .chain((second) => fc.constantFrom(second * 1000, Math.floor(second / 900) * 900_000));

const questions: fc.Arbitrary<StatsQuestion> = fc
  .record({
    times: fc.tuple(time, time),
    bucket: fc.constantFrom(...BUCKETS),
    timeZone: fc.constantFrom(
      'UTC',
      'Europe/Berlin',
      'Asia/Kathmandu',
      'America/Los_Angeles',
      'Pacific/Chatham',
    ),
    groupBy: fc.constantFrom({ account: true as const }, { metadata: 'campaign' }, null),
    account: fc.option(fc.constantFrom('uk', 'us'), { nil: undefined }),
    campaign: fc.option(fc.constantFrom('c0', 'c1'), { nil: undefined }),
  })
  .map(({ times, bucket, timeZone, groupBy, account, campaign }) => ({
    bucket,
    timeZone,
    groupBy,
    withSeconds: true,
    filter: {
      registeredFrom: new Date(Math.min(...times)),
      registeredTo: new Date(Math.max(...times) + 1),
      ...(account === undefined ? {} : { account }),
      ...(campaign === undefined ? {} : { metadata: { campaign } }),
    },
  }));

function taskOf({ filter, bucket, timeZone, groupBy, withSeconds }: StatsQuestion): StatsTask {
  const starts = bucketStarts(
    bucket,
    timeZone,
    filter.registeredFrom.getTime(),
    filter.registeredTo.getTime(),
  );
  return { filter, groupBy, withSeconds, starts, maxRows: 10_000, deadline: Infinity };
}

function expectSame(rollups: Stats, calls: Stats): void {
  const counts = ({ rows }: Stats) => rows.map(({ queued: _, calling: __, ...row }) => row);
  expect(counts(rollups)).toEqual(counts(calls));
  for (const [index, row] of rollups.rows.entries()) {
    for (const status of ['queued', 'calling'] as const) {
      const exact = calls.rows[index]?.[status] ?? null;
      expect(row[status] === null).toBe(exact === null);
      for (const name of ['p50', 'p90', 'p99'] as const) {
        const [mine = 0, theirs = 0] = [row[status]?.[name], exact?.[name]];
        expect(Math.abs(mine - theirs)).toBeLessThanOrEqual(theirs / 100);
      }
    }
  }
}
