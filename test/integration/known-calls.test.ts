import fc from 'fast-check';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Database, openDatabase } from '../../src/archive/database.ts';
import { createReader } from '../../src/archive/read/reader.ts';
import { createEraser } from '../../src/archive/write/eraser.ts';
import { createMetadataEditor } from '../../src/archive/write/metadata.ts';
import { createRegistrar } from '../../src/archive/write/registrar.ts';
import { createWriter } from '../../src/archive/write/writer.ts';
import type { FollowedCall, Report } from '../../src/call/call.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { silentLog } from '../support/log.ts';
import { noMetrics } from '../support/metrics.ts';
import { callsOf } from '../support/read-call.ts';
import { sightingNow } from '../support/sighting.ts';

/** What a process has read or written of a call it does not read again, until another has written it. */

let opened: OpenDatabase[];
let others: Database[];

beforeEach(() => {
  opened = [];
  others = [];
});

afterEach(async () => {
  await Promise.all(others.map(({ close }) => close()));
  await Promise.all(opened.map(({ drop }) => drop()));
});

/** A database, with a second process on it where there are to be two. */
async function open(processes: 1 | 2) {
  const test = await openTestDatabase();
  opened.push(test);
  const pools = [test.pool];
  if (processes === 2) {
    const other = openDatabase(test.url, silentLog);
    others.push(other);
    pools.push(other.pool);
  }
  const writers = pools.map((pool) => createWriter({ pool, metrics: noMetrics, log: silentLog }));
  const report = async (by: number, report: Report) => writers[by % processes]?.report(report) ?? null;
  return { pool: test.pool, report };
}

type Opened = Awaited<ReturnType<typeof open>>;

const START = Date.parse('2026-11-24T12:00:00Z');
interface Step {
  kind: 'see' | 'poll' | 'fail' | 'promise' | 'conclude' | 'register' | 'patch' | 'erase';
  by: number;
  callSid: string;
  status: string;
  reason: string | null;
  body: 'its columns' | 'more';
}

/** The same happens to each database at the same time. */
async function take({ pool, report }: Opened, step: Step, at: Date): Promise<FollowedCall | null> {
  const { kind, by, callSid, status, reason } = step;
  const body = JSON.stringify({ status, reason: reason ?? '', ...(step.body === 'more' ? { more: 1 } : {}) });
  const sighting = { ...sightingNow(status, reason), body, observedAt: at, seenAt: at };
  const metadata = { key: reason ?? '' };
  switch (kind) {
    case 'see':
      return await report(by, { callSid, sighting, polls: 2, lastError: null });
    case 'poll':
      return await report(by, { callSid, lastSeenAt: at, lastBody: body, polls: 1, followForMs: 60_000 });
    case 'fail':
      return await report(by, { callSid, failedPolls: 1, lastError: 'away' });
    case 'promise':
      return await report(by, { callSid, followForMs: 60_000 });
    case 'conclude':
      return await report(by, { callSid, conclusion: { outcome: 'abandoned', at } });
    case 'register':
      await createRegistrar(pool).register({ callSid, account: 'default', metadata });
      return null;
    case 'patch':
      await createMetadataEditor(pool).patch(callSid, metadata);
      return null;
    case 'erase':
      await createEraser(pool).erase(callSid);
      return null;
  }
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    kind: fc.constantFrom(
      ...([
        'see',
        'see',
        'see',
        'poll',
        'fail',
        'promise',
        'conclude',
        'register',
        'register',
        'patch',
        'erase',
      ] as const),
    ),
    by: fc.nat({ max: 1 }),
    callSid: fc.constantFrom('OUT-1', 'OUT-2'),
    status: fc.constantFrom('queued', 'calling', 'success'),
    reason: fc.constantFrom(null, 'busy'),
    body: fc.constantFrom('its columns', 'more'),
  }),
  { minLength: 1, maxLength: 25 },
);

/** All but the times that Postgres says. */
const shown = (call: FollowedCall | null) => call && { ...call, ageMs: 0, silentMs: 0 };
async function kept({ pool }: Opened) {
  const reader = createReader(pool);
  const calls = callsOf(await reader.listCalls({}, 100, null));
  const answers = calls.map(({ callSid }) => reader.readLastAnswer(callSid));
  return [calls.map((call) => ({ ...call, registeredAt: null })), await Promise.all(answers)];
}

describe('a call that is known', () => {
  it('is written as by who reads it each time, whoever else writes it', async () => {
    const [two, one] = await Promise.all([open(2), open(1)]);
    const live = async (lived: readonly Step[]) => {
      for (const { pool } of [two, one])
        await pool.query(
          'truncate polykeep_internal.calls, polykeep_internal.transitions, polykeep_internal.unsettled',
        );
      for (const callSid of ['OUT-1', 'OUT-2']) {
        const registration = { callSid, account: 'default', metadata: {} };
        for (const { pool } of [two, one]) await createRegistrar(pool).register(registration);
      }
      for (const [index, step] of lived.entries()) {
        const at = new Date(START + index * 1_000);
        // As if it had made a connection.
        one.pool.emit('connect');
        expect(shown(await take(two, step, at))).toEqual(shown(await take(one, step, at)));
      }
      expect(await kept(two)).toEqual(await kept(one));
    };
    await fc.assert(fc.asyncProperty(steps, live), { numRuns: 30 });
  });

  it('is read once, and again after another process has written it', async () => {
    const { pool, report } = await open(2);
    const query = vi.spyOn(Client.prototype, 'query');
    const reads = () => {
      const named = query.mock.calls.flatMap(([config]: unknown[]) =>
        typeof config === 'object' && config !== null && 'name' in config ? [config.name] : [],
      );
      query.mockClear();
      return named.filter((name) => name === 'read_calls_to_write' || name === 'lock_calls');
    };
    await createRegistrar(pool).register({ callSid: 'OUT-1', account: 'default', metadata: {} });
    const see = (by: number, status: string) =>
      report(by, { callSid: 'OUT-1', sighting: sightingNow(status), polls: 1 });
    for (const by of [0, 1]) await report(by, { callSid: 'OUT-1', followForMs: 60_000 });
    reads();
    await see(0, 'queued');
    expect(reads()).toEqual([]);
    const seen = await see(0, 'calling');
    expect(reads()).toEqual([]);
    expect(seen?.ageMs).toBeGreaterThan(0);
    expect(seen?.polls).toBe(1);
    await see(1, 'in-progress');
    expect(reads()).toEqual(['lock_calls']);
    const promised = await report(0, { callSid: 'OUT-1', followForMs: 60_000 });
    expect(reads()).toEqual(['read_calls_to_write']);
    expect(promised).toMatchObject({ state: { status: 'in-progress', transitionCount: 3 }, polls: 3 });
    query.mockRestore();
  });

  it('has its last body in the form in which it was written', async () => {
    const test = await open(1);
    await createRegistrar(test.pool).register({ callSid: 'OUT-1', account: 'default', metadata: {} });
    const seen: Step = {
      kind: 'see',
      by: 0,
      callSid: 'OUT-1',
      status: 'queued',
      reason: null,
      body: 'its columns',
    };
    const then = async (step: Partial<Step>) => take(test, { ...seen, ...step }, new Date());
    await then({});
    await then({ kind: 'promise' });
    await then({ body: 'more' });
    await then({});
    expect((await createReader(test.pool).readLastAnswer('OUT-1'))?.body).toBe(
      '{"status":"queued","reason":""}',
    );
  });

  it('grows as old, and is silent as long, as who reads it finds', async () => {
    const { pool, report } = await open(2);
    await createRegistrar(pool).register({ callSid: 'OUT-1', account: 'default', metadata: {} });
    await pool.query(`update polykeep_internal.calls set registered_at = now() - interval '1 hour'`);
    const seenAt = new Date(Date.now() - 60_000);
    await report(0, { callSid: 'OUT-1', sighting: { ...sightingNow('queued'), seenAt }, polls: 1 });
    const known = await report(0, { callSid: 'OUT-1', polls: 1 });
    const read = await report(1, { callSid: 'OUT-1', followForMs: 60_000 });
    expect(Math.abs((known?.ageMs ?? 0) - (read?.ageMs ?? 0))).toBeLessThan(2_000);
    expect(Math.abs((known?.silentMs ?? 0) - (read?.silentMs ?? 0))).toBeLessThan(2_000);
    expect(read?.silentMs).toBeGreaterThan(59_000);
  });
});
