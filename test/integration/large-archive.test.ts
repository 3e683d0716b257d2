import { afterAll, beforeAll, expect, it } from 'vitest';
import { fillArchive } from '../../bench/large-archive.ts';
import { createRegistrar } from '../../src/archive/write/registrar.ts';
import { createWriter } from '../../src/archive/write/writer.ts';
import { bodyOf } from '../../src/call/body-form.ts';
import { CONCLUSIONS, type Metadata } from '../../src/call/call.ts';
import { observe } from '../../src/polyai/observation.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { silentLog as log } from '../support/log.ts';
import { noMetrics } from '../support/metrics.ts';

/** The benchmark's archive is made by SQL, since it is large: here the product's writer makes the same rows. */

const CALLS = 300;

let seeded: OpenDatabase;
let written: OpenDatabase;

beforeAll(async () => {
  [seeded, written] = await Promise.all([openTestDatabase(), openTestDatabase()]);
});

afterAll(() => Promise.all([seeded.drop(), written.drop()]));

interface SeededCall {
  callSid: string;
  account: string;
  metadata: Metadata;
  outcome: string | null;
  settledAt: Date | null;
  lastSeenAt: Date;
  polls: number;
  failedPolls: number;
  shown: {
    form: number;
    status: string;
    reason: string | null;
    createdAt: string | null;
    lastUpdated: string | null;
    changedAfter: string | null;
    observedAt: string;
  }[];
}

const SEEDED = `
select c.call_sid as "callSid", a.name as account, c.metadata, o.name as outcome, c.settled_at as "settledAt",
       c.last_seen_at as "lastSeenAt", c.polls, c.failed_polls as "failedPolls",
       json_agg(json_build_object(
         'form', t.body_form, 'status', s.name, 'reason', t.reason, 'createdAt', c.created_at,
         'lastUpdated', t.last_updated, 'changedAfter', t.changed_after, 'observedAt', t.observed_at) order by t.seq) as shown
  from polykeep_internal.calls c
  join polykeep_internal.accounts a on a.id = c.account
  left join polykeep_internal.outcomes o on o.id = c.outcome
  join polykeep_internal.transitions t on t.call_id = c.id
  join polykeep_internal.statuses s on s.id = t.status
 group by c.id, a.name, o.name`;

/** Numbers are each archive's own, and so are times of registration. */
const ROWS = `
select c.call_sid, a.name as account, s.name as status, c.outcome, c.reason, c.metadata, c.created_at, c.last_updated,
       c.first_seen_at, c.last_seen_at, c.settled_at, c.reopened_at, c.polls, c.failed_polls, c.transition_count,
       c.body_form, c.last_body, c.last_error, u.call_id is not null as is_followed,
       (select json_agg(json_build_array(t.seq, ts.name, t.reason, t.changed_after, t.observed_at, t.last_updated,
                                         t.body_form, t.payload) order by t.seq)
          from polykeep_internal.transitions t
          left join polykeep_internal.statuses ts on ts.id = t.status
         where t.call_id = c.id) as transitions
  from polykeep_internal.calls c
  left join polykeep_internal.accounts a on a.id = c.account
  left join polykeep_internal.statuses s on s.id = c.status
  left join polykeep_internal.unsettled u on u.call_id = c.id
 order by c.call_sid`;

it('has the rows that the writer makes of the same calls', async () => {
  await fillArchive(seeded.url, CALLS, () => {});
  const calls = await seeded.query<SeededCall>(SEEDED);
  expect(calls).toHaveLength(CALLS);
  // Every kind of end is among them.
  expect(new Set(calls.map(({ outcome }) => outcome)).size).toBeGreaterThanOrEqual(4);
  await createRegistrar(written.pool).registerAll(calls);
  const writer = createWriter({ pool: written.pool, metrics: noMetrics, log });
  await Promise.all(calls.map((call) => live(call, writer.report)));
  expect(await written.query(ROWS)).toEqual(await seeded.query(ROWS));
});

/** Reports what PolyAI showed of a call, from its first status to its end. */
async function live(
  { callSid, outcome, settledAt, lastSeenAt, polls, failedPolls, shown }: SeededCall,
  report: ReturnType<typeof createWriter>['report'],
): Promise<void> {
  const time = (text: string | null) => (text === null ? null : new Date(text));
  for (const { form, status, reason, ...times } of shown) {
    const [createdAt, lastUpdated] = [time(times.createdAt), time(times.lastUpdated)];
    const body = bodyOf(form, { callSid, status, reason, createdAt, lastUpdated });
    const observedAt = new Date(times.observedAt);
    await report({
      callSid,
      sighting: {
        ...observe(callSid, body),
        changedAfter: time(times.changedAfter),
        observedAt,
        seenAt: observedAt,
      },
    });
  }
  const conclusion = CONCLUSIONS.find((known) => known === outcome);
  await report({
    callSid,
    lastSeenAt,
    polls,
    failedPolls,
    ...(conclusion === undefined || settledAt === null
      ? {}
      : { conclusion: { outcome: conclusion, at: settledAt } }),
  });
}
