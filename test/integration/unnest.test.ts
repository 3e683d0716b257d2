import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { unnested } from '../../src/archive/write/unnest.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';

let test: OpenDatabase;

beforeAll(async () => {
  test = await openTestDatabase();
});

afterAll(() => test.drop());

interface Row {
  id: number;
  name: string | null;
  isKnown: boolean | null;
  at: Date | null;
  bytes: Buffer | null;
}

const SENT = unnested<Row>([
  ['id', 'int8', ({ id }) => id],
  ['name', 'text', ({ name }) => name],
  ['is_known', 'bool', ({ isKnown }) => isKnown],
  ['at', 'timestamptz', ({ at }) => at],
  ['bytes', 'bytea', ({ bytes }) => bytes],
]);

/** A time by its text, since pg reads no year before 100 as it is. */
const READ = `
select id::int, name, is_known as "isKnown", to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') as at, bytes
  from ${SENT.sql}`;

const time = fc.oneof(
  fc.date({ min: new Date('0001-01-01Z'), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true }),
  fc
    .constantFrom('0001-01-01Z', '1999-12-31T23:59:59.999Z', '2000-01-01Z', '9999-12-31T23:59:59.999Z')
    .map((edge) => new Date(edge)),
);
const rows: fc.Arbitrary<Row[]> = fc.array(
  fc.record({
    id: fc.integer(),
    name: fc.option(
      fc.oneof(
        fc.string().map((random) => random.replaceAll('\0', '')),
        fc.constantFrom('NULL', '', '{}', '"\\,'),
      ),
    ),
    isKnown: fc.option(fc.boolean()),
    at: fc.option(time, { freq: 2 }),
    bytes: fc.option(fc.uint8Array().map((random) => Buffer.from(random))),
  }),
  { maxLength: 6 },
);

it('rows arrive as they are, whichever values are null', async () => {
  await fc.assert(
    fc.asyncProperty(rows, async (sent) => {
      const { rows: read } = await test.pool.query({ name: 'rows', text: READ, values: SENT.values(sent) });
      const asText = (at: Date | null) => at?.toISOString().replace('Z', '000') ?? null;
      expect(read).toEqual(sent.map((row) => ({ ...row, at: asText(row.at) })));
    }),
    { numRuns: 200 },
  );
});

it('a time that is none is not sent', () => {
  const row = { id: 1, name: null, isKnown: null, at: new Date(Number.NaN), bytes: null };
  expect(() => SENT.values([row])).toThrow(RangeError);
});
