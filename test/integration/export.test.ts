import { once } from 'node:events';
import { get as httpGet, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { kill } from 'node:process';
import { text } from 'node:stream/consumers';
import { parse } from 'csv-parse/sync';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { seedCalls, seedCodes } from '../support/seed.ts';
import { serverOn } from '../support/server.ts';

let test: OpenDatabase;
let app: FastifyInstance;
let base: string;

beforeAll(async () => {
  test = await openTestDatabase();
  app = serverOn(test, test.url);
  await app.listen({ host: '127.0.0.1', port: 0 });
  base = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  await app.close();
  await test.drop();
});

beforeEach(async () => {
  await seedCodes(test);
  await test.query(
    'truncate polykeep_internal.calls, polykeep_internal.transitions, polykeep_internal.unsettled',
  );
});

const seed = (calls: number) => seedCalls(test, calls);
const DEFAULT = `(select id from polykeep_internal.accounts where name = 'default')`;
const get = (path: string) => fetch(`${base}${path}`);
const lines = (body: string) => body.split('\n').slice(0, -1);
const records = (body: string) => parse<Record<string, string>>(body, { columns: true });

/** Connections of exports to Postgres. */
async function connections(): Promise<number> {
  const [row] = await test.query<{ n: number }>(
    `select count(*)::int as n from pg_stat_activity
      where application_name = 'polykeep export' and datname = current_database()`,
  );
  return row?.n ?? -1;
}

/** An export of which only the head is read so far. */
async function slowly(query = ''): Promise<IncomingMessage> {
  const request = httpGet(`${base}/v1/export${query}`, { agent: false });
  request.on('error', () => {});
  const [response]: IncomingMessage[] = await once(request, 'response');
  if (response === undefined) throw new Error('no response');
  return response;
}

describe('ndjson', () => {
  it('has every call as its own route answers it, in the order of the list', async () => {
    await seed(1_234);
    const response = await get('/v1/export');
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    expect(response.headers.get('content-disposition')).toMatch(
      /^attachment; filename="calls-\d{8}T\d{6}Z\.ndjson"$/,
    );
    const exported = lines(await response.text());
    const listed: { callSid: string }[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page = await get(`/v1/calls?limit=1000${cursor && `&cursor=${cursor}`}`);
      const { data, nextCursor } = JSON.parse(await page.text());
      listed.push(...data);
      cursor = nextCursor;
    }
    expect(exported).toHaveLength(1_234);
    expect(exported.map((line) => JSON.parse(line))).toEqual(listed);
    expect(exported[5]).toBe(await (await get(`/v1/calls/${listed[5]?.callSid}`)).text());
  });

  it('takes the filters of the list', async () => {
    await seed(60);
    for (const query of [
      'outcome=success',
      'outcome=none',
      'account=spare',
      'metadata.campaign=c1',
      'status=QUEUED',
      'reason=no%20answer',
      'callSidPrefix=seed-2',
      'settledFrom=2026-11-19T23:59:30Z',
      'settledTo=2026-11-19T23:59:30Z',
    ]) {
      const { data } = JSON.parse(await (await get(`/v1/calls?limit=1000&${query}`)).text());
      const exported = lines(await (await get(`/v1/export?${query}`)).text());
      expect(exported.map((line) => JSON.parse(line))).toEqual(data);
      expect(data.length).toBeGreaterThan(0);
      expect(data.length).toBeLessThan(60);
    }
  });

  it('of nothing is empty', async () => {
    const response = await get('/v1/export');
    expect([response.status, await response.text()]).toEqual([200, '']);
  });
});

describe('csv', () => {
  it('has one record per call that reads back as it was', async () => {
    await seed(700);
    const ugly = 'said "no", then\r\nhung\nup; 日本';
    await test.query(
      `update polykeep_internal.calls set reason = $1, metadata = $2 where call_sid = 'seed-1'`,
      [ugly, { note: 'a "b", c\n' }],
    );
    const response = await get('/v1/export?format=csv');
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8; header=present');
    expect(response.headers.get('content-disposition')).toMatch(/\.csv"$/);
    const body = await response.text();
    expect(body.slice(0, body.indexOf('\r\n'))).toBe(
      'callSid,account,status,outcome,reason,registeredAt,createdAt,lastUpdated,firstSeenAt,lastSeenAt,settledAt,' +
        'polls,failedPolls,lastError,metadata,transitionCount',
    );
    const read = records(body);
    const calls = lines(await (await get('/v1/export')).text()).map((line) => JSON.parse(line));
    expect(read).toEqual(
      calls.map(({ transitions, metadata, ...call }) => ({
        ...Object.fromEntries(Object.entries(call).map(([name, value]) => [name, `${value ?? ''}`])),
        metadata: JSON.stringify(metadata),
        transitionCount: `${transitions.length}`,
      })),
    );
    expect(read.find(({ callSid }) => callSid === 'seed-1')).toMatchObject({ reason: ugly });
  });

  it.each(['busy\n=HYPERLINK(1)', 'busy\r=HYPERLINK(1)'])('keeps %j in one cell', async (reason) => {
    await test.query(
      `insert into polykeep_internal.calls (call_sid, account, reason) values ('OUT-1', ${DEFAULT}, $1)`,
      [reason],
    );
    const body = await (await get('/v1/export?format=csv')).text();
    expect(body).toContain(`"${reason}"`);
    expect(records(body)).toMatchObject([{ callSid: 'OUT-1', reason }]);
  });

  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '\n=1', '=cmd|" /C calc"!A0'])(
    'lets no spreadsheet take %j for a formula',
    async (formula) => {
      await test.query(`insert into polykeep_internal.accounts (name) values ($1)`, [formula]);
      await test.query(
        `insert into polykeep_internal.calls (call_sid, account, reason, last_error)
         select $1, id, $1, $1 from polykeep_internal.accounts where name = $1`,
        [formula],
      );
      const [record] = records(await (await get('/v1/export?format=csv')).text());
      const safe = `'${formula}`;
      expect(record).toMatchObject({ callSid: safe, account: safe, reason: safe, lastError: safe });
    },
  );

  it('has a byte order mark where that is asked for, and the same behind it', async () => {
    await seed(3);
    await test.query(`update polykeep_internal.calls set reason = 'über' where call_sid = 'seed-1'`);
    const plain = await (await get('/v1/export?format=csv&bom=false')).text();
    const bytes = Buffer.from(await (await get('/v1/export?format=csv&bom=true')).arrayBuffer());
    expect(bytes.toString('utf8')).toBe(`\ufeff${plain}`);
    expect(plain).toMatch(/^callSid,/);
  });

  it('of nothing is the header', async () => {
    const body = await (await get('/v1/export?format=csv')).text();
    expect(body).toMatch(/^callSid,[\w,]+\r\n$/);
  });
});

describe('one moment', () => {
  it('whatever is written while it is read', async () => {
    await seed(20_000);
    const response = await slowly();
    await test.query(`update polykeep_internal.calls set reason = 'changed'`);
    await test.query(
      `insert into polykeep_internal.calls (call_sid, account, registered_at)
       values ('late', ${DEFAULT}, '2000-01-01')`,
    );
    await test.query(`insert into polykeep_internal.transitions (call_id, seq, status, reason, observed_at, payload)
                      select id, 99, 1, 'changed', now(), '{}' from polykeep_internal.calls`);
    const body = await text(response);
    expect(lines(body)).toHaveLength(20_000);
    expect(/"changed"|"late"/.exec(body)).toBeNull();
  });
});

describe('clients', () => {
  it('one that goes away frees its connection, two may export at once, a third may try again later', async () => {
    await seed(20_000);
    const [one, two] = [await slowly(), await slowly('?format=csv')];
    expect(await connections()).toBe(2);
    const refused = await get('/v1/export');
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(JSON.parse(await refused.text())).toMatchObject({ code: 'too_many_exports' });
    one.destroy();
    await expect.poll(connections).toBe(1);
    await expect.poll(async () => (await get('/v1/export?account=nobody')).status).toBe(200);
    two.destroy();
    await expect.poll(connections).toBe(0);
  });

  it('one that goes away while Postgres is still at it frees it too', async () => {
    await seed(10);
    const holder = await test.pool.connect();
    await holder.query(
      'begin; set local idle_in_transaction_session_timeout = 0; lock table polykeep_internal.transitions in access exclusive mode',
    );
    const request = httpGet(`${base}/v1/export`, { agent: false }).on('error', () => {});
    await expect.poll(connections).toBe(1);
    request.destroy();
    await expect.poll(connections).toBe(0);
    await holder.query('rollback');
    holder.release();
    expect(lines(await (await get('/v1/export')).text())).toHaveLength(10);
  });

  it('that go away while Postgres is frozen free their places', async () => {
    await seed(10);
    const holder = await test.pool.connect();
    await holder.query('begin; lock table polykeep_internal.transitions in access exclusive mode');
    const requests = [0, 1].map(() => httpGet(`${base}/v1/export`, { agent: false }).on('error', () => {}));
    const pids = async () => {
      const rows = await test.query<{ pid: number }>(
        `select pid from pg_stat_activity where application_name = 'polykeep export'
            and datname = current_database() and wait_event_type = 'Lock'`,
      );
      return rows.map(({ pid }) => pid);
    };
    await expect.poll(pids).toHaveLength(2);
    const frozen = await pids();
    for (const pid of frozen) kill(pid, 'SIGSTOP');
    try {
      await holder.query('rollback');
      for (const request of requests) request.destroy();
      await expect.poll(async () => (await get('/v1/export?account=nobody')).status).toBe(200);
    } finally {
      for (const pid of frozen) kill(pid, 'SIGCONT');
      holder.release();
    }
    await expect.poll(connections).toBe(0);
  });

  it('a slow one is waited for, though Postgres ends other idle transactions', async () => {
    await test.query(`do $$ begin execute format('alter database %I set idle_in_transaction_session_timeout = 200',
                      current_database()); end $$`);
    await seed(20_000);
    const response = await slowly();
    await expect
      .poll(async () => {
        const [row] = await test.query<{ idle: boolean }>(
          `select now() - state_change > interval '0.5 s' as idle from pg_stat_activity
            where application_name = 'polykeep export' and state = 'idle in transaction'
              and datname = current_database()`,
        );
        return row?.idle;
      })
      .toBe(true);
    expect(lines(await text(response))).toHaveLength(20_000);
  });

  it('get no whole answer where Postgres fails half-way', async () => {
    await seed(20_000);
    const response = await slowly();
    await test.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'polykeep export' and datname = current_database()`,
    );
    await expect(text(response)).rejects.toThrow('aborted');
    await expect.poll(connections).toBe(0);
    await expect.poll(async () => (await get('/v1/export?account=nobody')).status).toBe(200);
  });
});

it.each([
  ['format=xml', 'format'],
  ['format=parquet', 'format'],
  ['limit=5', 'limit'],
  ['bom=true', 'bom'],
  ['format=csv&bom=yes', 'bom'],
  ['outcome=maybe', 'outcome'],
  ['registeredFrom=0000-01-01T00:00:00Z', 'registeredFrom'],
  ['settledTo=0000-01-01T00:00:00Z', 'settledTo'],
  ['reason=', 'reason'],
])('?%s: 400 that names %s', async (query, field) => {
  const response = await get(`/v1/export?${query}`);
  expect(response.status).toBe(400);
  expect(JSON.parse(await response.text())).toMatchObject({ errors: [{ field }] });
});
