import fc from 'fast-check';
import { Value } from 'typebox/value';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CallJson, FeedPageJson, PageJson } from '../../src/api/schemas.ts';
import { OUTCOMES } from '../../src/call/call.ts';
import { type ApiServer, startApiServer } from '../support/api-server.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';

/** Postgres writes what the API answers with, and nobody looks at it on its way: here it is looked at. */

let test: TestDatabase;
let server: ApiServer;

beforeAll(async () => {
  test = await createDatabase();
  server = startApiServer({ url: test.url, newsUrl: null });
});

afterAll(async () => {
  await server.stop();
  await test.drop();
});

const text = fc
  .string({ unit: 'binary', maxLength: 12 })
  .map((random) => random.replaceAll('\0', ''))
  .filter((random) => random.isWellFormed());
const somethingOr = <Value>(value: fc.Arbitrary<Value>) => fc.option(value);
const time = fc
  .oneof(
    fc.date({
      min: new Date('0001-01-01T00:00:00.000Z'),
      max: new Date('9999-12-31T23:59:59.999Z'),
      noInvalidDate: true,
    }),
    fc
      .constantFrom('0001-01-01T00:00:00.000Z', '9999-12-31T23:59:59.999Z', '2026-03-29T00:30:00.100Z')
      .map((edge) => new Date(edge)),
  )
  .map((date) => date.toISOString());
const count = fc.nat({ max: 2 ** 31 - 1 });

const transitions = fc
  .array(
    fc.record({
      status: text,
      reason: somethingOr(text),
      changedAfter: somethingOr(time),
      observedAt: time,
      lastUpdated: somethingOr(time),
    }),
    { maxLength: 4 },
  )
  .map((all) => all.map((transition, index) => ({ seq: index + 1, ...transition })));

/** In the order of the fields that the API has. */
const calls: fc.Arbitrary<CallJson> = fc.record({
  callSid: fc.constant('OUT-1'),
  account: text,
  status: somethingOr(text),
  outcome: somethingOr(fc.constantFrom(...OUTCOMES)),
  reason: somethingOr(text),
  metadata: fc.dictionary(text, text, { maxKeys: 4, noNullPrototype: true }),
  registeredAt: time,
  createdAt: somethingOr(time),
  lastUpdated: somethingOr(time),
  firstSeenAt: somethingOr(time),
  lastSeenAt: somethingOr(time),
  settledAt: somethingOr(time),
  polls: count,
  failedPolls: count,
  lastError: somethingOr(text),
  transitions,
});

/**
 * The call as rows of the tables, instead of the one that was there; of a transaction that was over long ago, since those
 * of other tests hold up the feed.
 */
async function keep(call: CallJson): Promise<void> {
  await test.query('truncate polykeep_internal.calls, polykeep_internal.transitions');
  const names = [call.status, ...call.transitions.map(({ status }) => status)];
  await test.query(`insert into polykeep_internal.accounts (name) values ($1) on conflict do nothing`, [
    call.account,
  ]);
  await test.query(
    `insert into polykeep_internal.statuses (name)
     select distinct name from unnest($1::text[]) name where name is not null on conflict do nothing`,
    [names],
  );
  await test.query(
    `insert into polykeep_internal.calls
       (call_sid, account, status, outcome, reason, metadata, registered_at, created_at, last_updated, first_seen_at,
        last_seen_at, settled_at, polls, failed_polls, last_error)
     select j->>'callSid', (select id from polykeep_internal.accounts where name = j->>'account'),
            (select id from polykeep_internal.statuses where name = j->>'status'),
            (select id from polykeep_internal.outcomes where name = j->>'outcome'), j->>'reason', j->'metadata',
            (j->>'registeredAt')::timestamptz, (j->>'createdAt')::timestamptz, (j->>'lastUpdated')::timestamptz,
            (j->>'firstSeenAt')::timestamptz, (j->>'lastSeenAt')::timestamptz, (j->>'settledAt')::timestamptz,
            (j->>'polls')::int, (j->>'failedPolls')::int, j->>'lastError'
       from (select $1::jsonb as j) given`,
    [JSON.stringify(call)],
  );
  await test.query(
    `insert into polykeep_internal.transitions (xid, call_id, seq, status, reason, changed_after, observed_at, last_updated)
     select '3', c.id, (t->>'seq')::int2, (select id from polykeep_internal.statuses where name = t->>'status'), t->>'reason',
            (t->>'changedAfter')::timestamptz, (t->>'observedAt')::timestamptz, (t->>'lastUpdated')::timestamptz
       from polykeep_internal.calls c, jsonb_array_elements($1::jsonb) t
      -- Not in their order: the answer has that by itself.
      order by t->>'seq' desc`,
    [JSON.stringify(call.transitions)],
  );
}

const answer = async (url: string) => {
  const response = await server.app.inject(url);
  expect(response.statusCode).toBe(200);
  expect(response.headers['content-type']).toBe('application/json; charset=utf-8');
  return response.body;
};

describe('the JSON that Postgres writes', () => {
  it('of a call, a page and the feed is what their schemas say, of whatever can be stored', async () => {
    await fc.assert(
      fc.asyncProperty(calls, async (call) => {
        await keep(call);
        const one = await answer('/v1/calls/OUT-1');
        expect(Value.Check(CallJson, JSON.parse(one))).toBe(true);
        expect(JSON.parse(one)).toEqual(call);
        // An object does not tell the order of its fields, and only that of metadata is Postgres' own.
        const { metadata: _, ...rest } = call;
        expect(JSON.stringify({ ...JSON.parse(one), metadata: undefined })).toBe(JSON.stringify(rest));
        const page = await answer('/v1/calls');
        expect(Value.Check(PageJson, JSON.parse(page))).toBe(true);
        expect(page).toBe(`{"data":[${one}],"nextCursor":null}`);

        const feed = JSON.parse(await answer('/v1/transitions'));
        expect(Value.Check(FeedPageJson, feed)).toBe(true);
        const { callSid, account } = call;
        expect(JSON.stringify(feed.data)).toBe(
          JSON.stringify(call.transitions.map((transition) => ({ callSid, account, ...transition }))),
        );
      }),
      { numRuns: 60 },
    );
  });
});
