import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { stringify } from 'csv-stringify/sync';
import { Pool } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { createRegistrar } from '../src/archive/write/registrar.ts';
import { createWriter } from '../src/archive/write/writer.ts';
import type { Sighting } from '../src/call/call.ts';
import { silentLog } from '../test/support/log.ts';
import { noMetrics } from '../test/support/metrics.ts';
import { cpuOf, cpuOfTree } from './cpu.ts';

/** What one of the ways to write transitions takes. */
export interface Rate {
  /** Transitions that are committed in a second. */
  perSecond: number;
  /** Seconds of CPU for each: of this process, and of Postgres with all its backends. */
  cpu: number;
}

export interface WriteRates {
  writer: Rate;
  copy: Rate;
  singles: Rate;
}

const LIFE = ['queued', 'calling', 'success'];
const BATCH = 5_000;
/** As many calls report at a time as a busy worker has: each waits until what it saw is committed. */
const REPORTING = 4_000;
const CONNECTIONS = 10;
const STEP_MS = 5_000;

/** What people make first: two tables of texts, */
const OTHER_TABLES = `
create schema if not exists others;
create table if not exists others.calls (
  call_sid text primary key, status text, outcome text, first_seen_at timestamptz, last_seen_at timestamptz,
  settled_at timestamptz, last_body text, polls int not null default 0);
create table if not exists others.transitions (
  call_sid text references others.calls, seq int, status text, changed_after timestamptz, observed_at timestamptz,
  payload jsonb, primary key (call_sid, seq))`;
const OTHER_CALLS = 'insert into others.calls (call_sid) select unnest($1::text[]) on conflict do nothing';
/** and one statement for each status that is seen. */
const UPSERT = `
with seen as (
  update others.calls set status = $3, outcome = $4, last_seen_at = $5, first_seen_at = coalesce(first_seen_at, $5),
                   settled_at = case when $4::text is null then null else $5::timestamptz end,
                   last_body = $7, polls = polls + 1
   where call_sid = $1)
insert into others.transitions (call_sid, seq, status, changed_after, observed_at, payload)
values ($1, $2, $3, $6, $5, $7::jsonb)
    on conflict (call_sid, seq) do nothing`;

const STATUSES =
  'insert into polykeep_internal.statuses (name) select unnest($1::text[]) on conflict do nothing';

interface Seen {
  callSid: string;
  seq: number;
  sighting: Sighting;
}

/** One round: the same lives in each of the three ways, `singles` of fewer calls, since they are slow. */
export async function measureWrites(
  databaseUrl: string,
  { calls, single, postgresPid }: { calls: number; single: number; postgresPid: number },
): Promise<WriteRates> {
  const pool = new Pool({ connectionString: databaseUrl, max: CONNECTIONS });
  try {
    await pool.query(OTHER_TABLES);
    await pool.query(STATUSES, [LIFE]);
    return {
      copy: await rate({ pool, postgresPid }, calls, (seen) => copy(pool, seen)),
      writer: await rate({ pool, postgresPid }, calls, (seen) => write(pool, seen)),
      singles: await rate({ pool, postgresPid }, single, (seen) => upsert(pool, seen)),
    };
  } finally {
    await pool.end();
  }
}

async function rate(
  { pool, postgresPid }: { pool: Pool; postgresPid: number },
  calls: number,
  run: (seen: readonly Seen[]) => Promise<void>,
): Promise<Rate> {
  const spent = async () => (await cpuOf(process.pid)) + (await cpuOfTree(postgresPid));
  const callSids = await register(pool, calls);
  await pool.query(OTHER_CALLS, [callSids]);
  const seen = LIFE.flatMap((_, step) => callSids.map((callSid) => sight(callSid, step)));
  await pool.query('checkpoint');
  const before = await spent();
  const started = performance.now();
  await run(seen);
  const seconds = (performance.now() - started) / 1000;
  return { perSecond: seen.length / seconds, cpu: ((await spent()) - before) / seen.length };
}

async function register(pool: Pool, calls: number): Promise<string[]> {
  const { registerAll } = createRegistrar(pool);
  const callSids = Array.from({ length: calls }, () => `OUT-${randomUUID()}`);
  for (let start = 0; start < calls; start += BATCH) {
    const batch = callSids.slice(start, start + BATCH);
    await registerAll(
      batch.map((callSid) => ({ callSid, account: 'default', metadata: { campaign: 'bench' } })),
    );
  }
  return callSids;
}

function sight(callSid: string, step: number): Seen {
  const status = LIFE[step] ?? '';
  const payload = { status, reason: '' };
  const observedAt = new Date(Date.now() - 60_000 + step * STEP_MS);
  const changedAfter = step === 0 ? null : new Date(observedAt.getTime() - STEP_MS);
  const body = JSON.stringify(payload);
  const times = { createdAt: null, lastUpdated: null, changedAfter, observedAt, seenAt: observedAt };
  return { callSid, seq: step + 1, sighting: { status, reason: null, payload, body, ...times } };
}

async function write(pool: Pool, seen: readonly Seen[]): Promise<void> {
  const writer = createWriter({ pool, metrics: noMetrics, log: silentLog });
  await inTurn(seen, REPORTING, ({ callSid, sighting }) => writer.report({ callSid, sighting, polls: 1 }));
}

async function upsert(pool: Pool, seen: readonly Seen[]): Promise<void> {
  await inTurn(seen, CONNECTIONS, ({ callSid, seq, sighting: { status, observedAt, changedAfter, body } }) =>
    pool.query({
      name: 'upsert',
      text: UPSERT,
      values: [callSid, seq, status, status === 'success' ? status : null, observedAt, changedAfter, body],
    }),
  );
}

/** So many at a time, in order. */
async function inTurn(
  seen: readonly Seen[],
  atOnce: number,
  work: (seen: Seen) => Promise<unknown>,
): Promise<void> {
  const left = seen.values();
  // One iterator for all: each takes the next that is left.
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const next of left) await work(next);
    }),
  );
}

/** The fastest way into the table that Postgres has, in one transaction, with all numbers known. */
async function copy(pool: Pool, seen: readonly Seen[]): Promise<void> {
  const [calls, statuses] = [
    await numbersOf(pool, 'call_sid', 'calls'),
    await numbersOf(pool, 'name', 'statuses'),
  ];
  const text = stringify(
    seen.map(({ callSid, seq, sighting: { status, observedAt, changedAfter } }) => [
      calls.get(callSid),
      seq,
      statuses.get(status),
      changedAfter?.toISOString(),
      observedAt.toISOString(),
      1,
    ]),
  );
  const client = await pool.connect();
  try {
    const into = copyFrom(
      `copy polykeep_internal.transitions (call_id, seq, status, changed_after, observed_at, body_form)
       from stdin (format csv)`,
    );
    await pipeline(Readable.from([text]), client.query(into));
  } finally {
    client.release();
  }
}

async function numbersOf(pool: Pool, name: string, table: string): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ id: number; name: string }>(
    `select id, ${name} as name from polykeep_internal.${table}`,
  );
  return new Map(rows.map((row) => [row.name, row.id]));
}
