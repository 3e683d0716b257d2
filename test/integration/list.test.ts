import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CallFilter } from '../../src/archive/read/call-filter.ts';
import type { Position } from '../../src/archive/read/cursors.ts';
import { createReader } from '../../src/archive/read/reader.ts';
import { type Call, OUTCOMES } from '../../src/call/call.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { callsOf } from '../support/read-call.ts';
import { seedCalls } from '../support/seed.ts';

const CALLS = 600;

let test: OpenDatabase;
let all: Call[];

beforeAll(async () => {
  test = await openTestDatabase();
  await seedCalls(test, CALLS);
  all = await listed({}, { limit: 1_000, newestWalked: 1_000 });
});

afterAll(() => test.drop());

/** All calls that fit, a page after the other. */
async function listed(
  filter: CallFilter,
  { limit, newestWalked }: { limit: number; newestWalked: number },
): Promise<Call[]> {
  const reader = createReader(test.pool, { newestWalked });
  const found: Call[] = [];
  for (let after: Position | null = null; ; ) {
    const { json, next } = await reader.listCalls(filter, limit, after);
    const calls = callsOf({ json });
    found.push(...calls);
    if (next === null) return found;
    expect(calls).toHaveLength(limit);
    after = next;
  }
}

/** What the filter says, of a call in JavaScript. */
function fits(call: Call, filter: CallFilter): boolean {
  const { metadata = {}, callSidPrefix = '' } = filter;
  const is = <Value>(asked: Value | undefined, value: Value) => asked === undefined || asked === value;
  const within = (time: Date | null, from: Date | undefined, to: Date | undefined) =>
    (from === undefined || (time !== null && time >= from)) &&
    (to === undefined || (time !== null && time < to));
  return (
    is<string | null>(filter.status, call.status) &&
    is<string>(filter.outcome, call.outcome ?? 'none') &&
    is(filter.account, call.account) &&
    is<string | null>(filter.reason, call.reason) &&
    within(call.registeredAt, filter.registeredFrom, filter.registeredTo) &&
    within(call.settledAt, filter.settledFrom, filter.settledTo) &&
    call.callSid.startsWith(callSidPrefix) &&
    Object.entries(metadata).every(([key, value]) => call.metadata[key] === value)
  );
}

const time = fc
  .integer({ min: -60, max: CALLS + 60 })
  .map((seconds) => new Date(Date.parse('2026-11-20T00:00:00Z') - seconds * 1_000));
const filters: fc.Arbitrary<CallFilter> = fc.record(
  {
    status: fc.constantFrom('queued', 'calling', 'success', 'never-shown'),
    outcome: fc.constantFrom(...OUTCOMES, 'none' as const),
    account: fc.constantFrom('default', 'spare', 'nobody'),
    reason: fc.constantFrom('no answer', 'nobody ever said so'),
    callSidPrefix: fc.constantFrom('seed-', 'seed-1', 'seed-59', 'seed-600', 'seed-7', 'z'),
    registeredFrom: time,
    registeredTo: time,
    settledFrom: time,
    settledTo: time,
    metadata: fc.record({ campaign: fc.constantFrom('c3', 'c9') }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
);

describe('a list of calls', () => {
  it('has those that fit, each once and newest first, whatever is asked and wherever they are', async () => {
    expect(all).toHaveLength(CALLS);
    const pages = fc.record({
      limit: fc.integer({ min: 1, max: 200 }),
      newestWalked: fc.integer({ min: 1, max: 700 }),
    });
    await fc.assert(
      fc.asyncProperty(filters, pages, async (filter, size) => {
        const expected = all.filter((call) => fits(call, filter)).map(({ callSid }) => callSid);
        // Each page is a statement or two: a few pages of many calls show as much as many.
        const limit = Math.max(size.limit, Math.ceil(expected.length / 5));
        const found = await listed(filter, { ...size, limit });
        expect(found.map(({ callSid }) => callSid)).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });

  it('has a reason of now, not one that the call had before', async () => {
    const [call] = all.filter(({ reason }) => reason === 'no answer');
    await test.query(`update polykeep_internal.calls set reason = 'busy' where call_sid = $1`, [
      call?.callSid,
    ]);
    const found = await listed({ reason: 'no answer' }, { limit: 500, newestWalked: 1 });
    expect(found).toHaveLength(CALLS / 5 - 1);
    expect(found.map(({ callSid }) => callSid)).not.toContain(call?.callSid);
  });

  it('has what settled at the first time asked for, and not what settled at the last', async () => {
    const [call] = all.filter(({ callSid }) => callSid === 'seed-300');
    const at = call?.settledAt ?? new Date(Number.NaN);
    const later = new Date(at.getTime() + 1);
    const found = async (settledFrom: Date, settledTo: Date) =>
      (await listed({ settledFrom, settledTo }, { limit: 10, newestWalked: 1 })).map(
        ({ callSid }) => callSid,
      );
    expect(await found(at, later)).toEqual(['seed-300']);
    expect(await found(new Date(at.getTime() - 1), at)).toEqual([]);
  });

  it('has a call that settled before it was registered, by a clock that was half an hour behind', async () => {
    await test.query(
      `update polykeep_internal.calls set settled_at = registered_at - interval '30 min' where call_sid = 'seed-5'`,
    );
    const settledTo = new Date('2026-11-19T23:35:00Z');
    const [newest] = await listed({ settledTo }, { limit: 500, newestWalked: 500 });
    expect(newest?.callSid).toBe('seed-5');
  });
});
