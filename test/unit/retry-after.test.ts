import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { retryAfterMs } from '../../src/polyai/retry-after.ts';

describe('Retry-After', () => {
  const now = Date.parse('2026-11-24T12:00:00Z');

  it.each<[string | null, number | null]>([
    ['120', 120_000],
    ['0', 0],
    ['2.5', 2_500],
    [' 0.25 ', 250],
    ['1.', 1_000],
    ['Tue, 24 Nov 2026 12:00:30 GMT', 30_000],
    ['Tuesday, 24-Nov-26 12:00:30 GMT', 30_000],
    ['2026-11-24T12:00:30Z', 30_000],
    ['Tue, 24 Nov 2026 11:00:00 GMT', 0],
    ['soon', null],
    ['-1', null],
    ['2,5', null],
    ['1e3', null],
    ['', null],
    [null, null],
  ])('%s is %s ms', (header, ms) => {
    expect(retryAfterMs(header, now)).toBe(ms);
  });

  it('of any number of seconds, whole or not, is that', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: 0, max: 999 }), (seconds, ms) => {
        const header = `${seconds}.${`${ms}`.padStart(3, '0')}`;
        expect(retryAfterMs(header, now)).toBeCloseTo(1_000 * seconds + ms, 3);
      }),
    );
  });
});
