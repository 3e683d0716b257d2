import { afterEach, beforeEach, expect, it } from 'vitest';
import { createRegistrar } from '../../src/archive/write/registrar.ts';
import { type ArchiveWriter, createWriter } from '../../src/archive/write/writer.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { silentLog } from '../support/log.ts';
import { noMetrics } from '../support/metrics.ts';
import { readCall } from '../support/read-call.ts';
import { openSession } from '../support/session.ts';
import { sightingNow } from '../support/sighting.ts';

/** The rows of calls are not locked before they are written: what another writes between reading and writing must count. */

const WAITS = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
/** What another writer does with a status of its own: the call's second one. */
const ADD_TRANSITION = `
with c as (update polykeep_internal.calls set polls = 11, transition_count = 2 where call_sid = 'one' returning *)
insert into polykeep_internal.transitions (call_id, seq, status, observed_at)
select id, 2, status, last_seen_at from c`;

let test: OpenDatabase;
let writer: ArchiveWriter;

beforeEach(async () => {
  test = await openTestDatabase();
  writer = createWriter({ pool: test.pool, metrics: noMetrics, log: silentLog });
  await createRegistrar(test.pool).registerAll(
    ['one', 'two'].map((callSid) => ({ callSid, account: 'default', metadata: {} })),
  );
});

afterEach(async () => {
  writer.giveUpIn(0);
  await test.drop();
});

const report = (callSid: string, status: string, to = writer) =>
  to.report({ callSid, sighting: sightingNow(status), polls: 1 });

it('what another transaction commits while a report waits for its row is kept, and the report is too', async () => {
  await report('one', 'queued');
  const other = await openSession(test, 'begin', ADD_TRANSITION);
  const reported = Promise.all([report('one', 'calling'), report('two', 'calling')]);
  await expect.poll(() => test.query(WAITS)).not.toEqual([]);
  await other.query('commit');
  await reported;
  const one = await readCall(test.pool, 'one');
  expect(one).toMatchObject({ status: 'calling', polls: 12 });
  expect(one?.transitions.map(({ seq, status }) => [seq, status])).toEqual([
    [1, 'queued'],
    [2, 'queued'],
    [3, 'calling'],
  ]);
  expect((await readCall(test.pool, 'two'))?.status).toBe('calling');
});

it('two processes that write the same calls at once write each of their transitions once, in one order', async () => {
  const other = createWriter({ pool: test.pool, metrics: noMetrics, log: silentLog });
  const statuses = Array.from({ length: 12 }, (_, n) => `status-${n}`);
  for (const status of statuses) {
    await Promise.all(
      [writer, other].flatMap((to) => ['one', 'two'].map((callSid) => report(callSid, status, to))),
    );
  }
  other.giveUpIn(0);
  for (const callSid of ['one', 'two']) {
    const call = await readCall(test.pool, callSid);
    expect(call?.polls).toBe(2 * statuses.length);
    expect(call?.transitions.map(({ status }) => status)).toEqual(statuses);
    expect(call?.transitions.map(({ seq }) => seq)).toEqual(statuses.map((_, index) => index + 1));
  }
});
