import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUCKETS, bucketStarts } from '../../src/archive/read/buckets.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';

let test: OpenDatabase;

beforeAll(async () => {
  test = await openTestDatabase();
});

afterAll(() => test.drop());

/** Whose rules Node and Postgres have alike: ahead and behind, by quarters, with and without other clocks in summer, on either half of the world. */
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'Europe/London',
  'America/New_York',
  'America/Los_Angeles',
  'America/St_Johns',
  'America/Sao_Paulo',
  'Asia/Kathmandu',
  'Asia/Kolkata',
  'Australia/Adelaide',
  'Pacific/Chatham',
  'Pacific/Apia',
  'Africa/Cairo',
];

const time = fc.integer({ min: Date.parse('2015-01-01Z') / 1000, max: Date.parse('2035-01-01Z') / 1000 });

/** The beginning of the bucket that each of the times is in, as Postgres has it. */
async function truncated(bucket: string, timeZone: string, times: readonly number[]): Promise<number[]> {
  const { rows } = await test.pool.query<{ start: number }>(
    `select (extract(epoch from date_trunc($1, to_timestamp(t), $2)) * 1000)::float8 as start
       from unnest($3::float8[]) with ordinality as times (t, nth) order by nth`,
    [bucket, timeZone, times],
  );
  return rows.map(({ start }) => start);
}

describe('buckets', () => {
  it('begin where date_trunc says, of any time in any zone', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...BUCKETS),
        fc.constantFrom(...ZONES),
        time,
        fc.integer({ min: 1, max: 400 * 86_400 }),
        async (bucket, timeZone, from, seconds) => {
          const length = bucket === 'hour' ? seconds % (10 * 86_400) : seconds;
          const to = from + length + 1;
          const starts = bucketStarts(bucket, timeZone, from * 1000, to * 1000);
          const step = Math.max(1, Math.floor(length / 500));
          const times = Array.from(
            { length: Math.ceil((to - from) / step) },
            (_, index) => from + index * step,
          );
          const right = await truncated(bucket, timeZone, times);
          const found = times.map((at) => starts.findLast((start) => start <= at * 1000));
          expect(found).toEqual(right);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('have no hour more where the clocks change within one: Chatham, at 2:45', async () => {
    const starts = (day: string) =>
      bucketStarts('hour', 'Pacific/Chatham', Date.parse(`${day}T13:15Z`), Date.parse(`${day}T15:00Z`));
    // In spring on to 3:45, in autumn back to 1:45.
    for (const day of ['2020-09-26', '2020-04-04']) {
      const hours = [`${day}T13:15Z`, `${day}T14:15Z`].map((hour) => Date.parse(hour));
      expect(starts(day)).toEqual(hours);
      const seconds = hours.map((hour) => hour / 1000);
      const inside = [...seconds, ...seconds.map((second) => second + 2_699)];
      expect(await truncated('hour', 'Pacific/Chatham', inside)).toEqual([...hours, ...hours]);
    }
  });

  it('are in order, and lie in the time that is asked for', () => {
    fc.assert(
      fc.property(fc.constantFrom(...BUCKETS), fc.constantFrom(...ZONES), time, (bucket, timeZone, from) => {
        const starts = bucketStarts(bucket, timeZone, from * 1000, (from + 40 * 86_400) * 1000);
        expect(starts[0]).toBeLessThanOrEqual(from * 1000);
        for (const [index, start] of starts.entries()) {
          if (index > 0) expect(start).toBeGreaterThan(Math.max(from * 1000, starts[index - 1] ?? 0));
          expect(start).toBeLessThan((from + 40 * 86_400) * 1000);
        }
      }),
    );
  });

  it('have one day where midnight comes twice, and where it does not come', () => {
    const days = (timeZone: string, from: string, to: string) =>
      bucketStarts('day', timeZone, Date.parse(from), Date.parse(to)).map((start) =>
        new Date(start).toISOString(),
      );
    // Havana: the clocks go from 1:00 back to 0:00.
    expect(days('America/Havana', '2024-11-02T12:00Z', '2024-11-04T12:00Z')).toEqual([
      '2024-11-02T04:00:00.000Z',
      '2024-11-03T04:00:00.000Z',
      '2024-11-04T05:00:00.000Z',
    ]);
    // Cairo: from 0:00 on to 1:00.
    expect(days('Africa/Cairo', '2024-04-25T12:00Z', '2024-04-26T12:00Z')).toEqual([
      '2024-04-24T22:00:00.000Z',
      '2024-04-25T22:00:00.000Z',
    ]);
  });
});
