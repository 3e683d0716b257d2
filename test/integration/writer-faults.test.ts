import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createReader } from '../../src/archive/read/reader.ts';
import { createRegistrar } from '../../src/archive/write/registrar.ts';
import { type ArchiveWriter, createWriter, type WriteMetrics } from '../../src/archive/write/writer.ts';
import type { Call } from '../../src/call/call.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { type FaultyCalls, faultyCalls } from '../support/faulty-calls.ts';
import { listeningLog } from '../support/log.ts';
import { noMetrics } from '../support/metrics.ts';
import { readCall } from '../support/read-call.ts';
import { openSession } from '../support/session.ts';
import { sightingNow } from '../support/sighting.ts';

let test: OpenDatabase;
let calls: FaultyCalls;
let writer: ArchiveWriter;
let lines: ReturnType<typeof listeningLog>['lines'];
let failed: Parameters<WriteMetrics['failed']>[0][];

beforeEach(async () => {
  test = await openTestDatabase();
  calls = faultyCalls(test);
  failed = [];
  const listening = listeningLog();
  ({ lines } = listening);
  const metrics: WriteMetrics = { ...noMetrics, failed: (kind) => void failed.push(kind) };
  writer = createWriter({ pool: test.pool, metrics, log: listening.log });
  await createRegistrar(test.pool).registerAll(
    ['good', 'bad'].map((callSid) => ({ callSid, account: 'default', metadata: {} })),
  );
});

afterEach(async () => {
  writer.giveUpIn(0);
  await test.drop();
});

const ended = (callSid: string) => writer.report({ callSid, sighting: sightingNow('success', 'it’s 无') });
const told = () => lines.map(({ msg, callSid = '' }) => `${msg}${callSid && ` (${callSid})`}`);

async function read(callSid: string): Promise<Call | null> {
  return readCall(test.pool, callSid);
}

describe('what passes', () => {
  it.each([
    ['a full disk', '53100'],
    ['too many connections', '53300'],
    ['a server that became read only', '25006'],
    ['a statement that an operator cancelled', '57014'],
    ['a session that an operator ended', '57P01'],
    ['a deadlock', '40P01'],
    ['a conflict with another transaction', '40001'],
    ['a failure of the machine', '58030'],
    ['a right that the role lost', '42501'],
    ['a schema that does not fit', '42703'],
  ])('%s: the report is tried again until it is written whole, and told of once', async (_, sqlState) => {
    await calls.fail(sqlState);
    const reported = ended('good');
    await expect.poll(() => failed.length).toBeGreaterThan(3);
    expect(writer.isAway).toBe(true);
    await calls.heal();
    expect((await reported)?.state).toMatchObject({ outcome: 'success', reason: 'it’s 无' });
    expect(writer.isAway).toBe(false);
    expect(new Set(failed)).toEqual(new Set(['retried']));
    expect(told()).toEqual(['write failed: trying again until it succeeds', 'writes succeed again']);
  });

  it('a statement that is really cancelled, in the middle', async () => {
    const other = await openSession(
      test,
      'begin',
      'lock table polykeep_internal.transitions in access exclusive mode',
    );
    const reported = ended('good');
    const cancel = `select pg_cancel_backend(pid) from pg_stat_activity
                     where datname = current_database() and wait_event_type = 'Lock'`;
    await expect.poll(() => test.query(cancel)).toHaveLength(1);
    await expect.poll(() => failed).toContain('retried');
    await other.query('commit');
    expect((await reported)?.state.outcome).toBe('success');
  });
});

describe('a table that somebody has locked', () => {
  it('is known to be so within 8 s, and what was reported is written when the lock is gone', async () => {
    const other = await openSession(
      test,
      'begin',
      'lock table polykeep_internal.calls in access exclusive mode',
    );
    const since = performance.now();
    const reported = ended('good');
    await expect.poll(() => writer.isAway).toBe(true);
    expect(performance.now() - since).toBeLessThan(8_000);
    await other.query('commit');
    expect((await reported)?.state.outcome).toBe('success');
  });
});

describe('a call that somebody has locked', () => {
  it('holds up no other, is told of once, and is written when it is free', async () => {
    const other = await openSession(
      test,
      'begin',
      `select from polykeep_internal.calls where call_sid = 'bad' for update`,
    );
    const bad = ended('bad');
    expect((await ended('good'))?.state.outcome).toBe('success');
    expect(writer.isAway).toBe(false);
    await expect
      .poll(told)
      .toEqual(['another session has locked a call: trying again until it lets go (bad)']);
    await sleep(2_500);
    expect(lines).toHaveLength(1);
    await other.query('commit');
    expect((await bad)?.state.outcome).toBe('success');
  });
});

describe('a report that Postgres refuses', () => {
  it.each([
    [`new.last_body like '%’%'`, 'body', { reason: 'it’s 无' }],
    [`new.reason like '%’%'`, 'body, reason, error', { reason: null }],
    [`new.last_updated is not null`, "body, reason, error, PolyAI's times", { lastUpdated: null }],
  ])('where %s is kept without %s: status and times stay', async (when, without, kept) => {
    await calls.fail('22P05', `new.call_sid = 'bad' and ${when}`);
    const at = new Date('2026-11-24T12:00:00Z');
    const sighting = {
      ...sightingNow('success', 'it’s 无'),
      body: '{"status":"success","reason":"it’s 无","n":1}',
      lastUpdated: at,
      observedAt: at,
      seenAt: at,
    };
    const [bad, good] = await Promise.all([writer.report({ callSid: 'bad', sighting }), ended('good')]);
    expect([bad?.state.outcome, good?.state.reason]).toEqual(['success', 'it’s 无']);
    expect(await read('bad')).toMatchObject({
      status: 'success',
      outcome: 'success',
      settledAt: at,
      lastSeenAt: at,
      transitions: [{ status: 'success', observedAt: at }],
      ...kept,
    });
    // Who asks the drop-in learns the status, and not the one before.
    expect(await createReader(test.pool).readLastAnswer('bad')).toMatchObject({
      body: '{"status":"success"}',
    });
    expect(failed).toEqual(['reduced']);
    expect(lines).toMatchObject([{ callSid: 'bad', without, err: { code: '22P05' } }]);
  });

  it('whole, is answered with that, counted, told of once, and holds up no other', async () => {
    await calls.fail('23514', `new.call_sid = 'bad'`);
    const [bad, good] = await Promise.allSettled([ended('bad'), ended('good')]);
    expect([bad, good]).toMatchObject([{ reason: { code: 'report_refused' } }, { status: 'fulfilled' }]);
    expect(failed).toEqual(['refused']);
    expect(told()).toEqual(['Postgres refuses a report (bad)']);
    expect(writer.isAway).toBe(false);
  });
});

describe('a report that Postgres does not take, for a reason that nobody knows', () => {
  it.each([
    ['a trigger of somebody', (when: string) => calls.fail('P0001', when)],
    ['a trigger of somebody that says nothing', (when: string) => calls.leaveOut(when)],
    ['a broken page', (when: string) => calls.fail('XX001', when)],
  ])('%s: is tried on alone, holds up no other, and is not lost', async (_, begin) => {
    await begin(`new.call_sid = 'bad'`);
    const bad = ended('bad');
    expect((await ended('good'))?.state.outcome).toBe('success');
    await expect.poll(told).toEqual(['Postgres does not take a report: trying again (bad)']);
    expect(writer.isAway).toBe(false);
    await calls.heal();
    expect((await bad)?.state).toMatchObject({ outcome: 'success', reason: 'it’s 无' });
    expect(lines).toHaveLength(1);
  });

  it.each([
    ['a server that ran out of transaction ids', '54000'],
    ['broken pages', 'XX001'],
  ])('is told as writes that are away where no other is taken: %s', async (_, sqlState) => {
    await calls.fail(sqlState);
    const reported = ended('good');
    await expect.poll(() => writer.isAway, { timeout: 60_000 }).toBe(true);
    await calls.heal();
    expect((await reported)?.state).toMatchObject({ outcome: 'success', reason: 'it’s 无' });
    expect(writer.isAway).toBe(false);
  });
});
