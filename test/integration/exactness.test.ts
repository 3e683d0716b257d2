import fc from 'fast-check';
import type { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openDatabase } from '../../src/archive/database.ts';
import { createReader } from '../../src/archive/read/reader.ts';
import { migrateDatabase } from '../../src/archive/schema/migrations.ts';
import { commitReports } from '../../src/archive/write/commit.ts';
import { createRegistrar } from '../../src/archive/write/registrar.ts';
import { CONCLUSIONS, type FollowedCall, type Report, UNSEEN } from '../../src/call/call.ts';
import { foldReports } from '../../src/call/fold.ts';
import { isConclusion } from '../../src/call/lifecycle.ts';
import { observe } from '../../src/polyai/observation.ts';
import { documentedBody, type GeneratedBody, oddBody } from '../support/bodies.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { silentLog as log } from '../support/log.ts';

/** Most bodies are not stored, but made again of columns: what is told of them is what PolyAI said, byte by byte. */

let test: OpenDatabase;
let next = 0;

beforeAll(async () => {
  test = await openTestDatabase();
});

afterAll(() => test.drop());

const FIRST_MS = Date.parse('2026-11-24T10:00:00Z');
const at = (second: number) => new Date(FIRST_MS + second * 1_000);

/** What happens to a call: it is registered again, or a follower reports. */
type Happening = { kind: 'registered' } | { kind: 'reported'; report: Report; body: GeneratedBody | null };

const registered = fc.constant<Happening>({ kind: 'registered' });

function happenings(callSid: string): fc.Arbitrary<Happening[]> {
  const body = fc.oneof({ arbitrary: documentedBody(callSid), weight: 2 }, oddBody(callSid));
  // In any order: an answer may come late, or of a replica that lags.
  const time = fc.nat({ max: 20 }).map(at);
  const sighting = fc.tuple(body, time).map(([seen, seenAt]): Happening => {
    const times = { changedAfter: null, observedAt: seenAt, seenAt };
    const report = { callSid, sighting: { ...observe(callSid, seen.raw), ...times } };
    return { kind: 'reported', body: seen, report };
  });
  const unchanged = fc.tuple(body, time).map(([{ raw }, lastSeenAt]): Happening => {
    const report = { callSid, lastSeenAt, lastBody: raw, polls: 1, followForMs: 1_000 };
    return { kind: 'reported', body: null, report };
  });
  const concluded = fc.tuple(fc.constantFrom(...CONCLUSIONS), time).map(([outcome, at]): Happening => {
    return { kind: 'reported', body: null, report: { callSid, conclusion: { outcome, at } } };
  });
  const any = fc.oneof(
    { arbitrary: sighting, weight: 6 },
    { arbitrary: unchanged, weight: 2 },
    { arbitrary: concluded, weight: 1 },
    { arbitrary: registered, weight: 1 },
  );
  return fc.array(any, { minLength: 1, maxLength: 12 });
}

/** What the archive has to tell: the rules, followed one report at a time, with whole bodies. */
function expected(callSid: string, happened: readonly Happening[]) {
  let call: FollowedCall = { callSid, account: 'a', state: UNSEEN, ageMs: 0, silentMs: null, polls: 0 };
  let last: string | null = null;
  const payloads: string[] = [];
  for (const happening of happened) {
    if (happening.kind === 'registered') {
      const { outcome } = call.state;
      if (outcome !== null && isConclusion(outcome))
        call = { ...call, state: { ...call.state, outcome: null, settledAt: null } };
      continue;
    }
    const [folded] = foldReports([call], [happening.report]);
    if (folded === undefined) continue;
    call = folded.after;
    last = folded.lastBody ?? last;
    if (folded.amendment !== null) payloads[payloads.length - 1] = happening.body?.kept ?? '';
    if (folded.transitions.length > 0) payloads.push(happening.body?.kept ?? '');
  }
  return { last, payloads, status: call.state.status, outcome: call.state.outcome };
}

/** As a process would, several reports at once. */
async function write(callSid: string, happened: readonly Happening[], atOnce: number): Promise<void> {
  const { register } = createRegistrar(test.pool);
  const registerIt = () => register({ callSid, account: 'a', metadata: {} });
  await registerIt();
  let reports: Report[] = [];
  const commit = async () => {
    if (reports.length > 0) await commitReports(test.pool, reports);
    reports = [];
  };
  for (const happening of happened) {
    if (happening.kind === 'reported') reports.push(happening.report);
    if (happening.kind === 'registered' || reports.length === atOnce) await commit();
    if (happening.kind === 'registered') await registerIt();
  }
  await commit();
}

const PAYLOADS = `select payload::text from polykeep.transitions where call_sid = $1 order by seq`;
const AS_READ = `select body::jsonb::text as payload from unnest($1::text[]) with ordinality as b(body, n) order by n`;

it('whatever happened to a call, its last answer and its payloads are PolyAI’s', async () => {
  const life = fc.constantFrom('OUT-Exact', 'out of the ordinary “无”').chain((name) => {
    const callSid = `${name}-${next++}`;
    return fc.tuple(fc.constant(callSid), happenings(callSid), fc.constantFrom(1, 1, 3));
  });
  await fc.assert(
    fc.asyncProperty(life, async ([generated, happened, atOnce]) => {
      // fast-check runs a life again to shrink it.
      await test.query('delete from polykeep_internal.calls where call_sid = $1', [generated]);
      await write(generated, happened, atOnce);
      const { last, payloads, status, outcome } = expected(generated, happened);
      const answer = await createReader(test.pool).readLastAnswer(generated);
      expect(answer?.body ?? null).toBe(last);
      expect(
        await test.query('select status, outcome from polykeep.calls where call_sid = $1', [generated]),
      ).toEqual([{ status, outcome }]);
      expect(await test.query(PAYLOADS, [generated])).toEqual(await test.query(AS_READ, [payloads]));
    }),
    { numRuns: 300 },
  );
});

describe('a payload', () => {
  async function report(pool: Pool, callSid: string, body: string): Promise<void> {
    await createRegistrar(pool).register({ callSid, account: 'a', metadata: {} });
    const times = { changedAfter: null, observedAt: at(0), seenAt: at(0) };
    await commitReports(pool, [{ callSid, sighting: { ...observe(callSid, body), ...times } }]);
  }

  async function payloadOf(body: string): Promise<string | undefined> {
    const callSid = `OUT-${next++}`;
    await report(test.pool, callSid, body);
    expect((await createReader(test.pool).readLastAnswer(callSid))?.body).toBe(body);
    const [row] = await test.query<{ payload: string }>(PAYLOADS, [callSid]);
    return row?.payload;
  }

  it.each([
    ['a number of 23 digits', '12345678901234567890.123', '12345678901234567890.123'],
    ['a large number', '1e30', '1000000000000000000000000000000'],
    ['a zero behind', '0.10', '0.10'],
    ['escapes', '"\\u0000 \\\\u0000 \\ud83d\\ude00 \\udead"', '"� \\\\u0000 😀 �"'],
    ['beyond the numbers of Postgres', '1e400000', 'null'],
    ['below them', '1e-400000', '0'],
    ['finer than they are', `0.${'0'.repeat(20_000)}1`, '0'],
  ])('of %s is as Postgres can keep it', async (_, written, kept) => {
    expect(await payloadOf(`{"n":${written},"status":"queued"}`)).toBe(`{"n": ${kept}, "status": "queued"}`);
  });

  it('that is made of columns is the same where the capital of i has a dot', async () => {
    const name = `turkish_${next++}_${new URL(test.url).pathname.slice(1)}`;
    await test.query(
      `create database ${name} template template0 encoding 'UTF8' locale 'C' locale_provider icu icu_locale 'tr-TR'`,
    );
    onTestFinished(async () => void (await test.query(`drop database ${name} with (force)`)));
    const url = Object.assign(new URL(test.url), { pathname: name }).href;
    await migrateDatabase(url, log);
    const { pool, close } = openDatabase(url, log);
    onTestFinished(close);
    const body = '{"callSid":"OUT-i","status":"IN-PROGRESS","reason":""}';
    await report(pool, 'OUT-i', body);
    const stored = 'select body_form as form, payload from polykeep_internal.transitions';
    expect((await pool.query(stored)).rows).toEqual([{ form: 2, payload: null }]);
    const told = 'select payload from polykeep.transitions';
    expect((await pool.query(told)).rows).toEqual([{ payload: JSON.parse(body) }]);
  });
});
