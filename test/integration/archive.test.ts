import fc from 'fast-check';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callJson } from '../../src/api/schemas.ts';
import { openDatabase } from '../../src/archive/database.ts';
import type { CallFilter } from '../../src/archive/read/call-filter.ts';
import type { Position } from '../../src/archive/read/cursors.ts';
import { type ArchiveReader, createReader } from '../../src/archive/read/reader.ts';
import { createRegistrar } from '../../src/archive/write/registrar.ts';
import { createWriter } from '../../src/archive/write/writer.ts';
import type { Call, Report, Sighting } from '../../src/call/call.ts';
import { createDatabase, type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { silentLog as log } from '../support/log.ts';
import { noMetrics } from '../support/metrics.ts';
import { callsOf, readCall } from '../support/read-call.ts';
import { sightingNow } from '../support/sighting.ts';

let test: OpenDatabase;
let next = 0;

beforeAll(async () => {
  test = await openTestDatabase();
});

afterAll(() => test.drop());

const newCallSid = () => `OUT-${next++}`;
const archive = () => ({
  registrar: createRegistrar(test.pool),
  reader: createReader(test.pool),
  writer: createWriter({ pool: test.pool, metrics: noMetrics, log }),
});

function sighting(status: string, at: string, more: Partial<Sighting> = {}): Sighting {
  const observedAt = new Date(`2026-11-24T${at}Z`);
  return { ...sightingNow(status), observedAt, seenAt: observedAt, ...more };
}

async function register(callSid = newCallSid(), metadata = {}): Promise<string> {
  await archive().registrar.register({ callSid, account: 'default', metadata });
  return callSid;
}

/** As after a delete by hand, or a dump of some tables alone. */
async function leaveBehind(callSid: string): Promise<void> {
  const text =
    'insert into polykeep_internal.unsettled (call_id) select id from polykeep_internal.calls where call_sid = $1';
  await test.query(text, [callSid]);
}

/** All calls that fit, a page at a time. */
async function inPages(reader: ArchiveReader, filter: CallFilter, limit: number): Promise<Call[]> {
  const found: Call[] = [];
  for (let after: Position | null = null; ; ) {
    const page = await reader.listCalls(filter, limit, after);
    const calls = callsOf(page);
    found.push(...calls);
    if (page.next === null) return found;
    expect(calls).toHaveLength(limit);
    after = page.next;
  }
}

async function read(callSid: string): Promise<Call> {
  const call = await readCall(test.pool, callSid);
  if (call === null) throw new Error(`${callSid} is not there`);
  return call;
}

it('keeps PolyAI’s last word with the status, also where another worker’s clock was ahead', async () => {
  const { writer, reader } = archive();
  const callSid = await register();
  expect(await reader.readLastAnswer(callSid)).toEqual({ account: 'default', body: null, observedAt: null });
  await writer.report({ callSid, sighting: sighting('queued', '10:00:00') });
  const ahead = new Date('2026-11-24T10:00:09Z');
  await writer.report({ callSid, lastSeenAt: ahead, lastBody: '{"status":"queued" }' });
  const answer = { account: 'default', body: '{"status":"queued" }', observedAt: ahead };
  expect(await reader.readLastAnswer(callSid)).toEqual(answer);
  await writer.report({ callSid, lastSeenAt: new Date('2026-11-24T10:00:01Z'), lastBody: '{"old":1}' });
  expect(await reader.readLastAnswer(callSid)).toEqual(answer);
  await writer.report({ callSid, sighting: sighting('success', '10:00:05') });
  expect((await reader.readLastAnswer(callSid))?.body).toBe('{"status":"success"}');
  expect(await reader.readLastAnswer('nobody')).toBeNull();
});

describe('registration', () => {
  it('stores a call once, and says whether it was new', async () => {
    const { registrar } = archive();
    const callSid = newCallSid();
    const first = { callSid, account: 'default', metadata: { campaign: 'spring "1"\n\\' } };
    const created = await registrar.register(first);
    expect(await registrar.register({ ...first, metadata: { campaign: 'other' } })).toEqual({
      kind: 'existing',
    });
    const stored = await read(callSid);
    expect(stored).toMatchObject({ ...first, status: null, outcome: null, polls: 0, transitions: [] });
    if (created.kind !== 'created') throw new Error(created.kind);
    expect(callJson(created.call)).toEqual(stored && callJson(stored));
  });

  it('of a concluded call follows it again, also where a promise to follow it was left behind', async () => {
    const callSid = await register();
    await archive().writer.report({ callSid, conclusion: { outcome: 'lost', at: new Date() } });
    await leaveBehind(callSid);
    const registered = archive().registrar.register({ callSid, account: 'default', metadata: {} });
    await expect(registered).resolves.toEqual({ kind: 'reopened' });
  });

  it('of one call by many at once is new for exactly one of them', async () => {
    const callSid = newCallSid();
    const created = await Promise.all(
      Array.from({ length: 50 }, () =>
        archive().registrar.register({ callSid, account: 'default', metadata: {} }),
      ),
    );
    expect(created.filter(({ kind }) => kind === 'created')).toHaveLength(1);
  });

  it('of a batch answers in its order, a repeated callSid being new once', async () => {
    const [a, b] = [newCallSid(), await register()];
    const batch = [b, a, a].map((callSid, n) => ({ callSid, account: 'default', metadata: { n: `${n}` } }));
    const created = await archive().registrar.registerAll(batch);
    const call = expect.objectContaining(batch[1] ?? {});
    expect(created).toEqual([{ kind: 'existing' }, { kind: 'created', call }, { kind: 'existing' }]);
    expect((await read(a))?.metadata).toEqual({ n: '1' });
    expect((await read(b))?.metadata).toEqual({ n: '0' });
  });

  it('of a known call adds the metadata keys that it lacks, and overwrites none', async () => {
    const callSid = await register(newCallSid(), { campaign: 'spring' });
    const again = { callSid, account: 'default', metadata: { campaign: 'other', customer: '7' } };
    expect(await archive().registrar.register(again)).toEqual({ kind: 'existing' });
    expect((await read(callSid))?.metadata).toEqual({ campaign: 'spring', customer: '7' });
  });

  it.each(['not_found', 'lost', 'rejected', 'abandoned'] as const)(
    'of a call that polykeep concluded to be %s follows it again, its age counted anew',
    async (outcome) => {
      const callSid = await register();
      await test.query(
        `update polykeep_internal.calls set registered_at = now() - interval '2 days' where call_sid = $1`,
        [callSid],
      );
      const { writer, registrar } = archive();
      await writer.report({ callSid, conclusion: { outcome, at: new Date() } });
      expect((await read(callSid))?.outcome).toBe(outcome);
      expect(await registrar.register({ callSid, account: 'default', metadata: {} })).toEqual({
        kind: 'reopened',
      });
      expect(await read(callSid)).toMatchObject({ outcome: null, settledAt: null });
      expect((await writer.report({ callSid }))?.ageMs).toBeLessThan(3_600_000);
      expect(await registrar.register({ callSid, account: 'default', metadata: {} })).toEqual({
        kind: 'existing',
      });
    },
  );

  it('of a call that PolyAI ended changes nothing of its end', async () => {
    const callSid = await register();
    await archive().writer.report({ callSid, sighting: sighting('success', '10:00:00') });
    const before = await read(callSid);
    await archive().registrar.register({ callSid, account: 'default', metadata: {} });
    expect(await read(callSid)).toEqual(before);
  });
});

describe('reports', () => {
  it('of a life become its transitions, with counters and times', async () => {
    const { writer } = archive();
    const callSid = await register();
    const queued = sighting('queued', '12:00:01.001', { createdAt: new Date('2026-11-24T12:00:00Z') });
    const calling = sighting('calling', '12:00:04.999', { changedAfter: queued.observedAt });
    const failure = sighting('failure', '12:00:09.537', {
      reason: 'call queueing: max timeout limit exceeded',
      changedAfter: new Date('2026-11-24T12:00:07.283Z'),
      lastUpdated: new Date('2026-11-24T12:00:08.619Z'),
    });
    await writer.report({ callSid, sighting: queued, polls: 1 });
    await writer.report({ callSid, sighting: calling, polls: 2, failedPolls: 1, lastError: null });
    const last = await writer.report({ callSid, sighting: failure, polls: 2 });

    expect(last?.state.outcome).toBe('failure');
    const call = await read(callSid);
    expect(call).toMatchObject({
      status: 'failure',
      outcome: 'failure',
      reason: 'call queueing: max timeout limit exceeded',
      createdAt: queued.createdAt,
      lastUpdated: failure.lastUpdated,
      firstSeenAt: queued.observedAt,
      lastSeenAt: failure.observedAt,
      settledAt: failure.observedAt,
      polls: 5,
      failedPolls: 1,
    });
    expect(call.transitions).toMatchObject([
      { seq: 1, status: 'queued', changedAfter: null, observedAt: queued.observedAt },
      { seq: 2, status: 'calling', changedAfter: queued.observedAt, observedAt: calling.observedAt },
      {
        seq: 3,
        status: 'failure',
        changedAfter: failure.changedAfter,
        lastUpdated: failure.lastUpdated,
        observedAt: failure.observedAt,
      },
    ]);
  });

  it('of a call that is not registered are answered with null and store nothing', async () => {
    const callSid = newCallSid();
    expect(await archive().writer.report({ callSid, sighting: sighting('queued', '12:00:01') })).toBeNull();
    expect(await archive().reader.readCall(callSid)).toBeNull();
  });

  it('of another reason amend the last transition', async () => {
    const { writer } = archive();
    const callSid = await register();
    const lastUpdated = new Date('2026-11-24T12:00:00Z');
    await writer.report({ callSid, sighting: sighting('calling', '12:00:01', { lastUpdated }) });
    await writer.report({
      callSid,
      sighting: sighting('calling', '12:00:03', {
        reason: 'retry',
        body: '{"n":2}',
        lastUpdated: new Date('2026-11-24T12:00:02Z'),
      }),
    });
    const call = await read(callSid);
    // The status is as old as it was: how long a stay lasted goes by this.
    expect(call.transitions).toMatchObject([{ seq: 1, status: 'calling', reason: 'retry', lastUpdated }]);
    const stored = await test.query('select payload from polykeep.transitions where call_sid = $1', [
      callSid,
    ]);
    expect(stored).toEqual([{ payload: { n: 2 } }]);
  });

  it('settle a call without a status, once', async () => {
    const { writer } = archive();
    const callSid = await register();
    const at = new Date('2026-11-24T12:10:00Z');
    await writer.report({
      callSid,
      conclusion: { outcome: 'not_found', at },
      lastError: 'HTTP 404',
      failedPolls: 3,
    });
    await writer.report({ callSid, conclusion: { outcome: 'abandoned', at: new Date() }, lastError: 'late' });
    expect(await read(callSid)).toMatchObject({
      status: null,
      outcome: 'not_found',
      settledAt: at,
      lastError: 'HTTP 404',
      transitions: [],
    });
    // PolyAI shows it after all.
    await writer.report({ callSid, sighting: sighting('success', '12:20:00') });
    expect(await read(callSid)).toMatchObject({ outcome: 'success', transitions: [{ status: 'success' }] });
  });

  it('move the promise to follow, by Postgres’ clock', async () => {
    const callSid = await register();
    const clock = async () =>
      (await test.query<{ at: string }>(`select (now() + interval '60 s')::text as at`))[0]?.at;
    const earliest = await clock();
    await archive().writer.report({ callSid, followForMs: 60_000 });
    const [promise] = await test.query(
      `select followed_until between $2 and $3 as kept
         from polykeep_internal.unsettled join polykeep_internal.calls on id = call_id where call_sid = $1`,
      [callSid, earliest, await clock()],
    );
    expect(promise).toEqual({ kept: true });
  });

  it('that Postgres refuses do not take the others of their batch with them', async () => {
    const { writer } = archive();
    const callSids = await Promise.all(Array.from({ length: 9 }, () => register()));
    const reports = callSids.map((callSid, index): Report => {
      const status = index === 4 ? 'nul \0 in it' : 'queued';
      return { callSid, sighting: sighting(status, '12:00:01') };
    });
    const answers = await Promise.allSettled(reports.map((report) => writer.report(report)));
    expect(answers.map(({ status }) => status)).toEqual(
      callSids.map((_, index) => (index === 4 ? 'rejected' : 'fulfilled')),
    );
    expect(answers[4]).toMatchObject({ reason: { code: 'report_refused' } });
    const calls = await Promise.all(callSids.map(read));
    expect(calls.map((call) => call.transitions.length)).toEqual([1, 1, 1, 1, 0, 1, 1, 1, 1]);
  });

  it('of many writers at once, in any order and repetition, give one settled row without gaps or duplicates', async () => {
    const life = [
      sighting('queued', '12:00:01'),
      sighting('calling', '12:00:04'),
      sighting('success', '12:00:09'),
    ];
    const reads = fc.array(fc.nat({ max: 2 }), { minLength: 3, maxLength: 9 });
    await fc.assert(
      fc.asyncProperty(fc.array(reads, { minLength: 2, maxLength: 4 }), async (followers) => {
        const callSid = await register();
        await Promise.all(
          followers.map(async (seen) => {
            const { writer } = archive();
            for (const index of [...seen, 2])
              await writer.report({ callSid, sighting: life[index] ?? life[0] } as Report);
          }),
        );
        const call = await read(callSid);
        expect(call).toMatchObject({ status: 'success', outcome: 'success', settledAt: life[2]?.observedAt });
        expect(call.transitions.map(({ seq }) => seq)).toEqual(call.transitions.map((_, index) => index + 1));
        const ranks = call.transitions.map(({ status }) => life.findIndex((seen) => seen.status === status));
        expect(ranks).toEqual([...new Set(ranks)].sort());
      }),
      { numRuns: 25 },
    );
  });
});

describe('those who listen', () => {
  it('are told once by each batch that has news, after its commit, and never of leases', async () => {
    // What other tests write is told to who listens to their database.
    const own = await openTestDatabase();
    const { pool } = own;
    const callSids = ['OUT-1', 'OUT-2', 'OUT-3'];
    await createRegistrar(pool).registerAll(
      callSids.map((callSid) => ({ callSid, account: 'default', metadata: {} })),
    );
    const writer = createWriter({ pool, metrics: noMetrics, log });
    const all = (part: Omit<Report, 'callSid'>) =>
      Promise.all(callSids.map((callSid) => writer.report({ callSid, ...part })));
    const ear = new Client({ connectionString: own.url });
    await ear.connect();
    let words = 0;
    ear.on('notification', () => words++);
    await ear.query('listen polykeep');
    // What was told before a query is heard before its answer.
    const heard = async () => {
      await ear.query('select 1');
      return words;
    };
    const lease = () => all({ followForMs: 60_000, polls: 3, lastSeenAt: new Date() });
    await lease();
    await all({ sighting: sighting('calling', '12:00:01') });
    await expect.poll(heard).toBe(1);
    await all({ conclusion: { outcome: 'abandoned', at: new Date() } });
    await expect.poll(heard).toBe(2);
    await lease();
    // What the leases told would have been heard by now.
    expect(await heard()).toBe(2);
    await ear.end();
    await own.drop();
  });
});

describe('what is read', () => {
  it('in pages is every call once, newest first, also where many were registered in one moment', async () => {
    const campaign = `pages-${next++}`;
    const batch = Array.from({ length: 25 }, () => ({
      callSid: newCallSid(),
      account: 'default',
      metadata: { campaign },
    }));
    await archive().registrar.registerAll(batch);
    await archive().registrar.register({ callSid: newCallSid(), account: 'default', metadata: { campaign } });

    const found = await inPages(archive().reader, { metadata: { campaign } }, 7);
    expect(found).toHaveLength(26);
    expect(new Set(found.map(({ callSid }) => callSid)).size).toBe(26);
    const times = found.map(({ registeredAt }) => registeredAt.getTime());
    expect(times).toEqual([...times].sort((a, b) => b - a));
  });

  it('in pages by metadata is every call once, whether it is among the newest or long before', async () => {
    const campaign = `over-${next++}`;
    const old = Array.from({ length: 9 }, () => newCallSid());
    await archive().registrar.registerAll(
      old.map((callSid) => ({ callSid, account: 'default', metadata: { campaign } })),
    );
    const since = Array.from({ length: 20 }, () => ({
      callSid: newCallSid(),
      account: 'default',
      metadata: { campaign: 'now' },
    }));
    await archive().registrar.registerAll(since);

    // At first the campaign is beyond what is walked through, then partly, then all within.
    const reader = createReader(test.pool, { newestWalked: 5 });
    const found = await inPages(reader, { account: 'default', metadata: { campaign } }, 4);
    expect(found.map(({ callSid }) => callSid).sort()).toEqual([...old].sort());
  });

  it('is filtered by status, outcome, account, registration and metadata', async () => {
    const { reader, registrar, writer } = archive();
    const campaign = `filters-${next++}`;
    const [done, open, foreign] = [newCallSid(), newCallSid(), newCallSid()];
    await registrar.register({ callSid: done, account: 'default', metadata: { campaign, tier: 'gold' } });
    await registrar.register({ callSid: open, account: 'default', metadata: { campaign } });
    await registrar.register({ callSid: foreign, account: 'other', metadata: { campaign } });
    await writer.report({ callSid: done, sighting: sighting('success', '12:00:00') });
    await writer.report({ callSid: open, sighting: sighting('calling', '12:00:00') });
    const { registeredAt } = await read(open);

    const list = async (filter: CallFilter) =>
      (await inPages(reader, { metadata: { campaign }, ...filter }, 2)).map(({ callSid }) => callSid).sort();
    expect(await list({})).toEqual([done, open, foreign].sort());
    expect(await list({ status: 'calling' })).toEqual([open]);
    expect(await list({ outcome: 'success' })).toEqual([done]);
    expect(await list({ outcome: 'none' })).toEqual([open, foreign].sort());
    expect(await list({ account: 'other' })).toEqual([foreign]);
    expect(await list({ metadata: { campaign, tier: 'gold' } })).toEqual([done]);
    expect(await list({ metadata: { campaign, tier: 'tin' } })).toEqual([]);
    expect(await list({ registeredFrom: registeredAt })).toContain(open);
    expect(await list({ registeredTo: registeredAt })).not.toContain(open);
  });

  it('by SQL is in the views', async () => {
    const callSid = await register();
    await archive().writer.report({ callSid, sighting: sighting('busy', '12:00:00') });
    expect(
      await test.query('select status, outcome from polykeep.calls where call_sid = $1', [callSid]),
    ).toEqual([{ status: 'busy', outcome: 'failure' }]);
    expect(
      await test.query('select seq, status from polykeep.transitions where call_sid = $1', [callSid]),
    ).toEqual([{ seq: 1, status: 'busy' }]);
  });
});

it('a sighting takes a conclusion back, also where a promise to follow the call was left behind', async () => {
  const callSid = await register();
  await archive().writer.report({ callSid, conclusion: { outcome: 'lost', at: new Date() } });
  await leaveBehind(callSid);
  const seen = await archive().writer.report({ callSid, sighting: sightingNow('calling') });
  expect(seen?.state).toMatchObject({ status: 'calling', outcome: null });
});

describe('a session', () => {
  it('reads times whatever the DateStyle of the database, and cannot hold locks in an idle transaction', async () => {
    const odd = await createDatabase();
    const name = new URL(odd.url).pathname.slice(1);
    await odd.query(`alter database ${name} set datestyle = 'SQL, DMY'`);
    const opened = openDatabase(odd.url, log);
    try {
      await createRegistrar(opened.pool).register({ callSid: 'odd', account: 'default', metadata: {} });
      const writer = createWriter({ pool: opened.pool, metrics: noMetrics, log });
      const at = new Date('2026-11-24T12:00:01Z');
      await writer.report({ callSid: 'odd', sighting: sighting('queued', '12:00:01') });
      await writer.report({ callSid: 'odd', followForMs: 1 });
      const call = await readCall(opened.pool, 'odd');
      expect(call).toMatchObject({ firstSeenAt: at, lastSeenAt: at });
      const { rows } = await opened.pool.query('show idle_in_transaction_session_timeout');
      expect(rows).toEqual([{ idle_in_transaction_session_timeout: '10s' }]);
    } finally {
      await opened.close();
      await odd.drop();
    }
  });
});
