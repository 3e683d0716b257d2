import fc from 'fast-check';
import type { QueryResult } from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Database, openDatabase } from '../../src/archive/database.ts';
import { type ArchiveReader, createReader } from '../../src/archive/read/reader.ts';
import { createEraser } from '../../src/archive/write/eraser.ts';
import { createMetadataEditor } from '../../src/archive/write/metadata.ts';
import { createRegistrar } from '../../src/archive/write/registrar.ts';
import { createWriter } from '../../src/archive/write/writer.ts';
import type { Metadata } from '../../src/call/call.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { silentLog } from '../support/log.ts';
import { noMetrics } from '../support/metrics.ts';
import { sightingNow } from '../support/sighting.ts';

/** Of a page that is asked for again, Postgres writes anew what has changed. */

let test: OpenDatabase;
/** Its own, so that what is written makes no connection of it. */
let database: Database;
let reader: ArchiveReader;
let work: ReturnType<typeof workOn>;

beforeEach(async () => {
  test = await openTestDatabase();
  database = openDatabase(test.url, silentLog);
  reader = createReader(database.pool);
  work = workOn(test);
});

afterEach(async () => {
  await database.close();
  await test.drop();
});

/** All that changes what a page shows. */
function workOn({ pool }: OpenDatabase) {
  const registrar = createRegistrar(pool);
  const writer = createWriter({ pool, metrics: noMetrics, log: silentLog });
  const register = (callSid: string, metadata: Metadata) =>
    registrar.register({ callSid, account: 'default', metadata });
  return {
    register: ({ callSid }: Step) => register(callSid, { a: '1' }),
    registerAgain: ({ callSid }: Step) => register(callSid, { b: '2' }),
    see: ({ callSid, status = 'queued', reason = null }: Step) =>
      writer.report({ callSid, sighting: sightingNow(status, reason), polls: 1 }),
    poll: ({ callSid }: Step) => writer.report({ callSid, polls: 1, lastError: 'no answer' }),
    conclude: ({ callSid }: Step) =>
      writer.report({ callSid, conclusion: { outcome: 'abandoned', at: new Date() } }),
    patch: ({ callSid }: Step) => createMetadataEditor(pool).patch(callSid, { a: '3' }),
    erase: ({ callSid }: Step) => createEraser(pool).erase(callSid),
  };
}

type Kind = 'register' | 'registerAgain' | 'see' | 'poll' | 'conclude' | 'patch' | 'erase';
interface Step {
  callSid: string;
  status?: string;
  reason?: string | null;
}

/** The page as one reads it who knows nothing. */
async function readAnew(limit: number, outcome?: 'none') {
  const { pool, close } = openDatabase(test.url, silentLog);
  const filter = outcome === undefined ? {} : { outcome };
  return createReader(pool).listCalls(filter, limit, null).finally(close);
}

/** How many calls Postgres writes the JSON of for what `ask` asks. */
async function written(ask: () => Promise<unknown>): Promise<number> {
  const query = vi.spyOn(database.pool, 'query');
  await ask();
  const answers = await Promise.all(query.mock.results.map(({ value }): Promise<QueryResult> => value));
  query.mockRestore();
  return answers.flatMap(({ rows }) => rows.flatMap(({ json }) => json?.split('\n') ?? [])).length;
}

const steps: fc.Arbitrary<(Step & { kind: Kind })[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('register', 'registerAgain', 'see', 'see', 'poll', 'conclude', 'patch', 'erase'),
    callSid: fc.constantFrom('OUT-1', 'OUT-2', 'OUT-3', 'OUT-4'),
    status: fc.constantFrom('queued', 'calling', 'success'),
    reason: fc.constantFrom(null, 'busy', 'no answer\n"now"'),
  }),
  { minLength: 1, maxLength: 12 },
);

describe('a page that is asked for again', () => {
  it('is what one reads who knows nothing, whatever happened in between', async () => {
    const live = async (lived: readonly (Step & { kind: Kind })[]) => {
      for (const one of lived) {
        await work[one.kind](one);
        for (const limit of [2, 10]) {
          expect(await reader.listCalls({}, limit, null)).toMatchObject(await readAnew(limit));
          expect(await reader.listCalls({ outcome: 'none' }, limit, null)).toMatchObject(
            await readAnew(limit, 'none'),
          );
        }
      }
    };
    await fc.assert(fc.asyncProperty(steps, live), { numRuns: 20 });
  });

  it('costs Postgres the JSON of what has changed alone', async () => {
    const ask = () => reader.listCalls({}, 10, null);
    // What is read while a connection is made is not kept.
    await ask();
    for (const callSid of ['OUT-1', 'OUT-2', 'OUT-3']) await work.register({ callSid });
    expect(await written(ask)).toBe(3);
    expect(await written(ask)).toBe(0);
    await work.see({ callSid: 'OUT-2' });
    expect(await written(ask)).toBe(1);
    expect(await written(ask)).toBe(0);
  });

  it('is written anew over a new connection, which may lead to another server', async () => {
    await work.register({ callSid: 'OUT-1' });
    const ask = () => reader.listCalls({}, 10, null);
    await ask();
    expect(await written(ask)).toBe(1);
    expect(await written(ask)).toBe(0);
    await test.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
    );
    await expect.poll(() => database.pool.totalCount).toBe(0);
    // What was known is asked with first, and not believed.
    const { json } = await readAnew(10);
    expect(await written(async () => expect((await ask()).json).toBe(json))).toBe(1);
    expect(await written(ask)).toBe(1);
    expect(await written(ask)).toBe(0);
  });
});
