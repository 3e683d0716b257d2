import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { Value } from 'typebox/value';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FeedPageJson } from '../../src/api/schemas.ts';
import { FEED_START, type FeedPosition, feedCursor } from '../../src/archive/read/cursors.ts';
import { createFeed } from '../../src/archive/read/feed.ts';
import { type ApiServer, startApiServer } from '../support/api-server.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { plansOf } from '../support/plans.ts';
import { seedCodes } from '../support/seed.ts';
import { sightingNow } from '../support/sighting.ts';

/** 100,000 by hand, after a change of the feed. */
const TRANSITIONS = 5_000;
const WRITERS = 8;

let test: TestDatabase;
let api: ApiServer;

beforeEach(async () => {
  test = await createDatabase();
  api = startApiServer({ url: test.url });
});

afterEach(async () => {
  await api.stop();
  await test.drop();
});

async function page(query: Record<string, string | number>): Promise<FeedPageJson> {
  const search = new URLSearchParams(
    Object.entries(query).map(([name, value]): [string, string] => [name, `${value}`]),
  );
  const response = await api.app.inject({ url: `/v1/transitions?${search}` });
  return Value.Parse(FeedPageJson, response.json());
}

/** From a cursor on to where there is nothing more. */
async function readAll(query: Record<string, string | number> = {}): Promise<FeedPageJson> {
  const { data, nextCursor } = await page(query);
  if (data.length === 0) return { data, nextCursor };
  const rest = await readAll({ ...query, after: nextCursor });
  return { data: [...data, ...rest.data], nextCursor: rest.nextCursor };
}

/** An open transaction, also of a test beside this one, keeps what is committed after it began from being read. */
const lags = async () => (await createFeed(api.database.pool).head()).lags;

async function show(callSid: string, status: string, account = 'default'): Promise<void> {
  await showUnread(callSid, status, account);
  await expect.poll(lags).toBe(false);
}

async function showUnread(callSid: string, status: string, account = 'default'): Promise<void> {
  await api.registrar.register({ callSid, account, metadata: {} });
  await api.writer.report({ callSid, sighting: sightingNow(status) });
}

const random = (below: number) => Math.floor(Math.random() * below);

const ADD_CALL = `
insert into polykeep_internal.calls (call_sid, account)
values ($1, (select id from polykeep_internal.accounts where name = $2))
returning id`;

/** One of many: transactions of random length, that end in another order than they began, or come to nothing. */
async function write(writer: number, rows: number): Promise<void> {
  const client = new Client({ connectionString: test.url });
  await client.connect();
  const callSid = `OUT-${writer}`;
  const { rows: added } = await client.query<{ id: string }>(ADD_CALL, [callSid, 'default']);
  const id = added[0]?.id;
  for (let seq = 1; seq <= rows; ) {
    const length = Math.min(1 + random(40), rows - seq + 1);
    const isUndone = random(10) === 0;
    await client.query('begin');
    for (let added = 0; added < length; ) {
      const some = Math.min(1 + random(15), length - added);
      await client.query(
        `insert into polykeep_internal.transitions (call_id, seq, status, observed_at, payload)
         select $1, n, (select min(id) from polykeep_internal.statuses), now(), '{}'
           from generate_series($2::int, $3::int) n`,
        [id, seq + added, seq + added + some - 1],
      );
      added += some;
      await sleep(random(8));
    }
    await client.query(isUndone ? 'rollback' : 'commit');
    if (!isUndone) seq += length;
  }
  await client.end();
}

describe('GET /v1/transitions beside writers', () => {
  it('gives each transition once, in commit order, over any page sizes and restarts', {
    timeout: 600_000,
  }, async () => {
    await seedCodes(test);
    let written = false;
    const writing = Promise.all(
      Array.from({ length: WRITERS }, (_, writer) => write(writer, TRANSITIONS / WRITERS)),
    ).finally(() => {
      written = true;
    });
    const seen: string[] = [];
    let cursor: string | null = null;
    for (let pages = 1; ; pages++) {
      const isLastChance = written && !(await lags());
      const after: Record<string, string> = cursor === null ? {} : { after: cursor };
      const { data, nextCursor } = await page({ ...after, limit: 1 + random(random(5) === 0 ? 1_000 : 20) });
      seen.push(...data.map(({ callSid, seq }) => `${callSid} ${seq}`));
      cursor = nextCursor;
      if (isLastChance && data.length === 0) break;
      if (pages % 50 !== 0) continue;
      await api.stop();
      api = startApiServer({ url: test.url });
    }
    await writing;
    const rows = await test.query<{ call_sid: string; seq: number }>(
      `select c.call_sid, t.seq
         from polykeep_internal.transitions t join polykeep_internal.calls c on c.id = t.call_id
        order by t.xid, t.call_id, t.seq`,
    );
    expect(rows).toHaveLength(TRANSITIONS);
    expect(seen).toEqual(rows.map(({ call_sid, seq }) => `${call_sid} ${seq}`));
  });

  it('an open transaction of somebody else delays the feed, and loses nothing', async () => {
    const other = new Client({ connectionString: test.url });
    await other.connect();
    await other.query('begin; select pg_current_xact_id()');
    await showUnread('OUT-1', 'queued');
    const { data, nextCursor } = await page({});
    expect(data).toEqual([]);
    await other.query('commit');
    await other.end();
    await expect.poll(async () => (await page({ after: nextCursor })).data.length).toBe(1);
  });
});

describe('GET /v1/transitions', () => {
  it('after now begins with what comes next, also where nothing ever came', async () => {
    const empty = await page({ after: 'now' });
    await show('OUT-1', 'queued');
    expect((await page({ after: empty.nextCursor })).data).toHaveLength(1);
    const { data, nextCursor } = await page({ after: 'now' });
    expect(data).toEqual([]);
    await show('OUT-2', 'queued');
    expect((await page({ after: nextCursor })).data).toMatchObject([{ callSid: 'OUT-2' }]);
  });

  it('begins at the very first, and goes on where the cursor says', async () => {
    await show('OUT-1', 'queued');
    await show('OUT-1', 'calling');
    const first = await page({ limit: 1 });
    expect(first.data).toEqual([
      {
        callSid: 'OUT-1',
        account: 'default',
        seq: 1,
        status: 'queued',
        reason: null,
        changedAfter: null,
        observedAt: expect.stringMatching(/Z$/),
        lastUpdated: null,
      },
    ]);
    const second = await page({ limit: 1, after: first.nextCursor });
    expect(second.data).toMatchObject([{ callSid: 'OUT-1', seq: 2, status: 'calling' }]);
    const none = await page({ after: second.nextCursor });
    expect(none.data).toEqual([]);
    await show('OUT-2', 'queued');
    expect((await page({ after: none.nextCursor })).data).toMatchObject([{ callSid: 'OUT-2' }]);
  });

  it('of one account leaves the others out, and goes past them', async () => {
    for (let n = 0; n < 6; n++) await show(`OUT-${n}`, 'queued', n % 2 === 0 ? 'uk' : 'us');
    const { data, nextCursor } = await readAll({ account: 'uk', limit: 2 });
    expect(data.map(({ callSid }) => callSid)).toEqual(['OUT-0', 'OUT-2', 'OUT-4']);
    expect(data.every(({ account }) => account === 'uk')).toBe(true);
    // All there is lies behind the cursor, also what the filter left out.
    expect((await page({ after: nextCursor })).data).toEqual([]);
    expect((await page({ account: 'nobody' })).data).toEqual([]);
  });

  it('does not give an amended transition again', async () => {
    await show('OUT-1', 'calling');
    const { nextCursor } = await readAll();
    await api.writer.report({ callSid: 'OUT-1', sighting: sightingNow('calling', 'second attempt') });
    expect((await page({ after: nextCursor })).data).toEqual([]);
    expect((await page({})).data).toMatchObject([{ seq: 1, reason: 'second attempt' }]);
  });

  const cursor = (parts: unknown[]) => Buffer.from(JSON.stringify(parts)).toString('base64url');
  it.each([
    ['after=', 'after'],
    ['after=nonsense', 'after'],
    [`after=${cursor([5, '1', 1])}`, 'after'],
    [`after=${cursor(['05', '1', 1])}`, 'after'],
    [`after=${cursor(['18446744073709551616', '0', 0])}`, 'after'],
    [`after=${cursor(['1', '9223372036854775808', 1])}`, 'after'],
    [`after=${cursor(['1', '1', 2 ** 15])}`, 'after'],
    [`after=${cursor(['1', '1', 1.5])}`, 'after'],
    ['limit=0', 'limit'],
    ['limit=Infinity', 'limit'],
    ['wait=Infinity', 'wait'],
    ['limit=1001', 'limit'],
    ['wait=-1', 'wait'],
    ['wait=61', 'wait'],
    ['wait=1.5', 'wait'],
    ['account=%00', 'account'],
    ['colour=red', 'colour'],
  ])('?%s: 400 that names it', async (query, field) => {
    const response = await api.app.inject({ url: `/v1/transitions?${query}` });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ code: 'invalid_request', errors: [{ field }] });
  });

  it('has a cursor that never lies beyond what is there, since numbers of transactions may come again', async () => {
    const { nextCursor: start } = await page({});
    expect(start).toBe(feedCursor.encode({ xid: '0', callId: '0', seq: 0 }));
    await show('OUT-1', 'queued');
    const [last] = await test.query<FeedPosition>(
      'select xid::text, call_id as "callId", seq from polykeep_internal.transitions',
    );
    const cursor = feedCursor.encode(last ?? FEED_START);
    expect((await page({})).nextCursor).toBe(cursor);
    expect((await page({ after: cursor })).nextCursor).toBe(cursor);
    expect((await page({ account: 'nobody' })).nextCursor).toBe(cursor);
    // Not moved by transactions that leave nothing here.
    for (let n = 0; n < 3; n++) await test.query('select pg_current_xact_id()');
    expect((await page({ after: cursor })).nextCursor).toBe(cursor);
  });

  it('finds what is rare behind more than it looks at in one go', async () => {
    await seedCodes(test);
    const [busy] = await test.query<{ id: string }>(ADD_CALL, ['OUT-1', 'default']);
    const [rare] = await test.query<{ id: string }>(ADD_CALL, ['OUT-2', 'spare']);
    await test.query(
      `insert into polykeep_internal.transitions (call_id, seq, status, observed_at, payload, xid)
       select case when n > 10000 then $2::int8 else $1 end, n, (select min(id) from polykeep_internal.statuses), now(),
              '{}', '5'
         from generate_series(1, 10001) n`,
      [busy?.id, rare?.id],
    );
    const { data } = await page({ account: 'spare' });
    expect(data.map(({ callSid }) => callSid)).toEqual(['OUT-2']);
  });

  it('refuses a cursor of another server, rather than to miss what comes', async () => {
    const after = feedCursor.encode({ xid: '18446744073709551615', callId: '0', seq: 0 });
    const response = await api.app.inject({ url: `/v1/transitions?after=${after}` });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ errors: [{ field: 'after' }] });
  });

  it('has all of a restored archive, once docs/operations.md was followed', async () => {
    const page = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    const [block] = /^do \$\$ begin$.*?^end \$\$;$/ms.exec(page) ?? [];
    await show('OUT-1', 'queued');
    await test.query(`select setval('polykeep_internal.calls_id_seq', 2500)`);
    await show('OUT-2', 'queued');
    await test.query(`update polykeep_internal.transitions set xid = '9000000000'`);
    expect((await readAll()).data).toEqual([]);
    await test.query(block ?? '');
    await expect.poll(lags).toBe(false);
    expect((await readAll()).data).toMatchObject([{ callSid: 'OUT-1' }, { callSid: 'OUT-2' }]);
    const xids = await test.query('select distinct xid::text from polykeep_internal.transitions');
    expect(xids).toHaveLength(2);
  });

  it('reads a page from the index, also of a rare account, without reading the table, or sorting it whole', async () => {
    const client = new Client({ connectionString: test.url });
    await client.connect();
    await client.query(
      `insert into polykeep_internal.accounts (name) select 'a' || n from generate_series(0, 499) n`,
    );
    await client.query(`
      insert into polykeep_internal.calls (call_sid, account)
      select n, (select id from polykeep_internal.accounts where name = 'a' || n % 500) from generate_series(1, 10000) n`);
    await client.query(`
      insert into polykeep_internal.transitions (call_id, seq, status, observed_at, payload, xid)
      select c.id, seq, 1, now(), '{}', c.id::text::xid8 from polykeep_internal.calls c, generate_series(1, 3) seq`);
    await client.query('analyze polykeep_internal.calls, polykeep_internal.transitions');
    await client.end();
    const { pool } = api.database;
    const feed = createFeed(pool);
    const after = { xid: '5', callId: '1', seq: 1 };
    for (const { account, limit } of [
      { account: null, limit: 100 },
      { account: 'a1', limit: 100 },
      { account: 'a1', limit: 1_000 },
      { account: 'nobody', limit: 1 },
    ]) {
      const [plan] = await plansOf(pool, () => feed.read({ after, account, limit }));
      expect(plan).toMatch(/Index Scan using transitions_by_transaction/);
      expect(plan).toMatch(/Index Cond: .*xid >= .* AND \(xid < h(_1)?\.xmin/);
      expect(plan).toMatch(/Incremental Sort\s.*\s.*\s*Presorted Key: (\w+\.)?xid/);
      expect(plan).not.toMatch(/Seq Scan on (calls|transitions)/);
    }
    const [plan] = await plansOf(pool, () => feed.head());
    expect(plan).toMatch(/Index Only Scan Backward using transitions_by_transaction/);
    expect(plan).not.toMatch(/Seq Scan/);
  });
});
