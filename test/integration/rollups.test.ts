import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import type { Pool } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/archive/database.ts';
import { createEraser } from '../../src/archive/write/eraser.ts';
import { createMetadataEditor } from '../../src/archive/write/metadata.ts';
import { createRegistrar } from '../../src/archive/write/registrar.ts';
import { registerCalls } from '../../src/archive/write/registrations.ts';
import { countedAnew } from '../../src/archive/write/rollup-changes.ts';
import { createWriter } from '../../src/archive/write/writer.ts';
import type { Conclusion, Report } from '../../src/call/call.ts';
import { systemClock } from '../../src/clock.ts';
import { checkStatistics } from '../../src/commands/check-statistics.ts';
import { createRetention } from '../../src/upkeep/retention.ts';
import { createRollups } from '../../src/upkeep/rollups.ts';
import { createStatsKeys, type StatsKeysOptions } from '../../src/upkeep/stats-keys.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { silentLog as log } from '../support/log.ts';
import { noMetrics as metrics } from '../support/metrics.ts';
import { callsByDay, countCalls, readRollups } from '../support/rollup-count.ts';

let test: OpenDatabase;
const never = new AbortController().signal;
const KEYS = ['campaign'];

beforeAll(async () => {
  test = await openTestDatabase();
  // Long enough ago for retention, in some quarters of two days.
  await test.query(`alter table polykeep_internal.calls alter registered_at
                      set default timestamptz '2026-11-03 22:00Z' + 4 * random() * interval '1 hour'`);
});

afterEach(() =>
  test.query(`truncate polykeep_internal.calls, polykeep_internal.unsettled, polykeep_internal.transitions,
                       polykeep_internal.rollups, polykeep_internal.rollup_changes, polykeep_internal.stats_keys`),
);

afterAll(() => test.drop());

const keepKeys = () =>
  test.query(
    `insert into polykeep_internal.stats_keys (name, high_mark, filled_up_to) select unnest($1::text[]), 0, 0`,
    [KEYS],
  );

const rollupsOf = (batchSize = 5_000) =>
  createRollups({ pool: test.pool, everyMs: 10, batchSize, clock: systemClock, log });

/** Holds the rollups against the calls that are there, and the days against the quarters. */
async function expectExact(keys: readonly string[]): Promise<void> {
  const { quarters, retired, days } = await readRollups(test.pool);
  expect(quarters).toEqual(await countCalls(test.pool, keys));
  const counted = Object.fromEntries(
    Object.entries(days).map(([day, text]) => [day, Number.parseInt(text, 10)]),
  );
  expect(counted).toEqual(callsByDay([quarters, retired]));
}

/** Anything that can happen to one of a few calls. */
type Event =
  | { kind: 'register'; call: number; metadata: Record<string, string> }
  | { kind: 'see'; call: number; status: string; after: number; polyai: number | null; polls: number }
  | { kind: 'conclude'; call: number; outcome: Conclusion }
  | { kind: 'poll'; call: number; polls: number; failedPolls: number }
  | { kind: 'erase'; call: number }
  | { kind: 'retire' }
  | { kind: 'fold'; batchSize: number };

const call = fc.nat(4);
const events: fc.Arbitrary<Event>[] = [
  fc.record({
    kind: fc.constant('register'),
    call,
    metadata: fc.dictionary(fc.constantFrom('campaign', 'other'), fc.constantFrom('a', 'b'), {
      noNullPrototype: true,
    }),
  }),
  fc.record({
    kind: fc.constant('see'),
    call,
    status: fc.constantFrom('queued', 'calling', 'in-progress', 'success', 'failed'),
    after: fc.integer({ min: -5, max: 400_000 }),
    polyai: fc.option(fc.integer({ min: -5, max: 400_000 }), { nil: null }),
    polls: fc.nat(3),
  }),
  fc.record({
    kind: fc.constant('conclude'),
    call,
    outcome: fc.constantFrom('lost', 'not_found', 'abandoned'),
  }),
  fc.record({ kind: fc.constant('poll'), call, polls: fc.nat(3), failedPolls: fc.nat(2) }),
  fc.record({ kind: fc.constant('erase'), call }),
  fc.constant({ kind: 'retire' }),
  fc.record({ kind: fc.constant('fold'), batchSize: fc.integer({ min: 1, max: 4 }) }),
];

const START = Date.parse('2026-11-04T02:00:00Z');

function reportOf(event: Extract<Event, { call: number }>, name: string): Report | null {
  const callSid = `${name}-${event.call}`;
  switch (event.kind) {
    case 'see': {
      const observedAt = new Date(START + event.after);
      const { status, polyai, polls } = event;
      const lastUpdated = polyai === null ? null : new Date(START + polyai);
      const payload = { status, polyai };
      const times = { createdAt: null, lastUpdated, changedAfter: null, observedAt, seenAt: observedAt };
      return {
        callSid,
        polls,
        sighting: { status, reason: null, payload, body: JSON.stringify(payload), ...times },
      };
    }
    case 'conclude':
      return { callSid, conclusion: { outcome: event.outcome, at: new Date(START + 500_000) } };
    case 'poll':
      return { callSid, polls: event.polls, failedPolls: event.failedPolls };
    default:
      return null;
  }
}

async function happen(event: Event, name: string): Promise<void> {
  switch (event.kind) {
    case 'register':
      await createRegistrar(test.pool).register({
        callSid: `${name}-${event.call}`,
        account: event.call % 2 === 0 ? 'uk' : 'us',
        metadata: event.metadata,
      });
      return;
    case 'erase':
      await createEraser(test.pool).erase(`${name}-${event.call}`);
      return;
    case 'retire':
      await createRetention({
        pool: test.pool,
        retentionDays: 1,
        everyMs: 1,
        clock: systemClock,
        log,
      }).deleteExpired(never);
      return;
    case 'fold':
      await rollupsOf(event.batchSize).fold(never);
      return;
    default: {
      const report = reportOf(event, name);
      if (report !== null) await createWriter({ pool: test.pool, metrics, log }).report(report);
    }
  }
}

describe('rollups', () => {
  it('are what a count over all calls gives, whatever happens to them', async () => {
    await keepKeys();
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(...events), { minLength: 5, maxLength: 40 }), async (events) => {
        const name = `run-${run++}`;
        for (const event of events) await happen(event, name);
        await expectExact(KEYS);
        await rollupsOf().fold(never);
        await expectExact(KEYS);
      }),
      { numRuns: 60 },
    );
  });

  it('keep the calls that retention deletes, and lose those that are erased', async () => {
    const random = createTraffic('kept', { calls: 20 });
    for (let call = 0; call < 20; call++) await random.live(call);
    const before = await readRollups(test.pool);
    await happen({ kind: 'retire' }, 'kept');
    const after = await readRollups(test.pool);
    expect(after.quarters).toEqual({});
    expect(after.retired).toEqual(before.quarters);
    expect(after.days).toEqual(before.days);
    await random.live(0);
    await createEraser(test.pool).erase('kept-0');
    expect(await readRollups(test.pool)).toEqual(after);
  });

  it('count by a new key what was being registered when it was added', async () => {
    const { addMissing, fill } = keysOf({});
    const writing = await test.pool.connect();
    await writing.query('begin');
    await registerCalls(writing, [{ callSid: 'late-1', account: 'uk', metadata: { campaign: 'a' } }]);
    // It does not add the key before the other is through.
    await addMissing().catch(() => {});
    await writing.query('commit');
    writing.release();
    await addMissing();
    await fill(never);
    await expectExact(KEYS);
  });

  it('count by a new key what was being written when its call was counted', async () => {
    const { addMissing, fill } = keysOf({});
    const callSid = 'late-2';
    await createRegistrar(test.pool).register({ callSid, account: 'uk', metadata: { campaign: 'a' } });
    await addMissing();
    const writing = await test.pool.connect();
    await writing.query('begin');
    const { rows } = await writing.query('select id from polykeep_internal.calls for update');
    const ids = rows.map(({ id }) => id);
    const settle = 'update polykeep_internal.calls set outcome = 1, settled_at = now()';
    await countedAnew(writing, ids, () => writing.query(settle));
    await fill(never).catch(() => {});
    const wasFilled = await isFilled('campaign');
    await writing.query('commit');
    writing.release();
    expect(wasFilled).toBe(false);
    await fill(never);
    await expectExact(KEYS);
  });

  it('count by a key that is added while others write, and are exact when processes die', async () => {
    const database = openDatabase(test.url, log);
    const traffic = createTraffic('busy', { pool: database.pool, calls: 200 });
    for (let call = 0; call < 150; call++) await traffic.live(call);
    const stopping = new AbortController();
    const again = async (work: () => Promise<unknown>) => {
      // A connection that was ended in the middle of it: it is for the next try.
      while (!stopping.signal.aborted) await work().catch(() => {});
    };
    const keys = keysOf({ pool: database.pool, batchSize: 7, pauseMs: 1 });
    const rollups = createRollups({
      pool: database.pool,
      everyMs: 10,
      batchSize: 20,
      clock: systemClock,
      log,
    });
    const running = [
      again(() => traffic.something()),
      again(() => traffic.something()),
      again(() => traffic.something()),
      again(() => sleep(5).then(() => rollups.fold(never))),
      again(() => sleep(40).then(endSessions)),
      again(async () => {
        await keys.addMissing();
        await keys.fill(never);
        await sleep(10);
      }),
    ];
    await expect.poll(() => isFilled('campaign')).toBe(true);
    await expect.poll(() => traffic.happened).toBeGreaterThan(500);
    stopping.abort();
    await Promise.all(running);
    await database.close();
    await expectExact(KEYS);
    await rollupsOf().fold(never);
    await expectExact(KEYS);
    expect(Object.keys(await countCalls(test.pool)).length).toBeGreaterThan(5);
  });
});

describe('polykeep check --statistics', () => {
  const check = async () => {
    const lines: string[] = [];
    const code = await checkStatistics({ DATABASE_URL: test.url, DATA_DIR: '' }, (line) => lines.push(line));
    return { code, lines };
  };

  it('finds nothing where all is right, folded or not', async () => {
    await keepKeys();
    const traffic = createTraffic('right', { calls: 10 });
    for (let call = 0; call < 10; call++) await traffic.live(call);
    await happen({ kind: 'retire' }, 'right');
    await rollupsOf(3).fold(never);
    for (let call = 0; call < 10; call++) await traffic.live(call);
    expect(await check()).toEqual({
      code: 0,
      lines: ['✓ statistics: what is kept is what the calls count for'],
    });
  });

  it.each([
    ['a row that is gone', 'delete from polykeep_internal.rollups where level = 0', /calls were missing/],
    [
      'a count',
      'update polykeep_internal.rollups set calls = calls + 3 where level = 0',
      /3 calls were too many/,
    ],
    [
      'a day',
      'update polykeep_internal.rollups set polls = polls + 1 where level = 2',
      /^day .*polls or seconds were wrong/,
    ],
    ['seconds', 'update polykeep_internal.rollups set calling = null', /polls or seconds were wrong/],
    [
      'all of them',
      'truncate polykeep_internal.rollups, polykeep_internal.rollup_changes',
      // Which campaigns are told of is chance: twenty lines are.
      /campaign [\w ]+: .* missing/,
    ],
    [
      'a row too many',
      `insert into polykeep_internal.rollups (level, bucket, key, account, outcome, value, calls, settle_ms, polls, failed_polls)
       select level, bucket, key, account, outcome, 'nobody', 2, 0, 0, 0 from polykeep_internal.rollups where key > 0 and level = 0`,
      /campaign nobody: 2 calls were too many/,
    ],
  ])('puts right %s', async (_, damage, told) => {
    await keepKeys();
    const traffic = createTraffic('wrong', { calls: 10 });
    for (let call = 0; call < 10; call++) await traffic.live(call);
    await rollupsOf().fold(never);
    await test.query(damage);
    const { code, lines } = await check();
    expect(code).toBe(1);
    expect(lines.join('\n')).toMatch(told);
    await expectExact(KEYS);
    expect((await check()).code).toBe(0);
  });

  it('takes nothing for a difference that others are about to write', async () => {
    await keepKeys();
    const traffic = createTraffic('live', { calls: 50 });
    const stopping = new AbortController();
    const again = async (work: () => Promise<unknown>) => {
      while (!stopping.signal.aborted) await work();
    };
    const running = [
      again(() => traffic.something()),
      again(() => traffic.something()),
      again(() => rollupsOf(10).fold(never)),
    ];
    for (let round = 0; round < 20; round++) expect(await check()).toMatchObject({ code: 0 });
    stopping.abort();
    await Promise.all(running);
    await expectExact(KEYS);
  });
});

/** Calls that are registered, seen, concluded on, erased and deleted, at random. */
function createTraffic(name: string, { pool = test.pool, calls }: { pool?: Pool; calls: number }) {
  let happened = 0;
  const registrar = createRegistrar(pool);
  const writer = createWriter({ pool, metrics, log });
  const eraser = createEraser(pool);
  const editor = createMetadataEditor(pool);
  const retention = createRetention({
    pool,
    retentionDays: 1,
    everyMs: 1,
    clock: systemClock,
    log,
    batchSize: 5,
  });
  const pick = <Item>(...items: readonly [Item, ...Item[]]): Item =>
    items[Math.floor(Math.random() * items.length)] ?? items[0];
  const callSid = (call: number) => `${name}-${call}`;
  const register = (call: number) =>
    registrar.register({
      callSid: callSid(call),
      account: pick('uk', 'us'),
      metadata: Math.random() < 0.2 ? {} : { campaign: call === 1 ? 'a' : pick('a', 'b', 'c') },
    });

  async function see(call: number, status: string, ms: number): Promise<void> {
    const event = { kind: 'see', call, status, after: ms, polyai: null, polls: 2 } as const;
    const report = reportOf(event, name);
    if (report !== null) await writer.report(report);
  }

  async function live(call: number): Promise<void> {
    await register(call);
    await see(call, 'queued', 1_000);
    await see(call, 'calling', 1_000 + Math.floor(Math.random() * 60_000));
    await see(call, pick('success', 'failed'), 70_000 + Math.floor(Math.random() * 200_000));
  }

  async function something(): Promise<void> {
    const call = Math.floor(Math.random() * calls);
    const conclusion = { outcome: pick<Conclusion>('lost', 'not_found'), at: new Date(START) };
    happened++;
    // Seldom, or no settled call would be left.
    if (Math.random() < 0.02) return void (await retention.deleteExpired(never));
    switch (pick('live', 'live', 'register', 'patch', 'conclude', 'see', 'erase')) {
      case 'live':
        return live(call);
      case 'register':
        return void (await register(call));
      case 'patch':
        return void (await editor.patch(callSid(call), { campaign: pick('a', 'b', null) }));
      case 'conclude':
        return void (await writer.report({ callSid: callSid(call), conclusion, polls: 1 }));
      case 'see':
        return see(call, pick('queued', 'calling'), Math.floor(Math.random() * 60_000));
      case 'erase':
        return void (await eraser.erase(callSid(call)));
    }
  }

  return {
    live,
    something,
    get happened() {
      return happened;
    },
  };
}

const keysOf = (options: Partial<StatsKeysOptions>) =>
  createStatsKeys({ pool: test.pool, keys: KEYS, everyMs: 10, clock: systemClock, log, ...options });

async function isFilled(key: string): Promise<boolean> {
  const text =
    'select filled_up_to >= high_mark as "isFilled" from polykeep_internal.stats_keys where name = $1';
  const [row] = await test.query<{ isFilled: boolean }>(text, [key]);
  return row?.isFilled ?? false;
}

/** As of processes that die: whatever they do is undone, or done. */
const endSessions = () =>
  test.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and random() < 0.3`,
  );
