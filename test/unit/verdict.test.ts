import { describe, expect, it } from 'vitest';
import { extendStreak, type FailureCode, type FailureStreak, verdict } from '../../src/call/verdict.ts';

const limits = { notFoundGraceMs: 120_000, maxTrackingMs: 86_400_000 };
const OFTEN = 1_000_000;
const young = { everSeen: false, ageMs: 1_000, polls: 3 };
const seen = { everSeen: true, ageMs: 1_000_000, polls: OFTEN };

/** A streak of failed polls, each with the time since the one before. */
function streak(...polls: [code: FailureCode, sinceLastMs: number][]): FailureStreak {
  const result = polls.reduce<FailureStreak | null>((last, [code, ms]) => extendStreak(last, code, ms), null);
  if (result === null) throw new Error('no polls');
  return result;
}

describe('404', () => {
  const thrice = streak(['not_found', 0], ['not_found', 1_000], ['not_found', 1_000]);

  it('of a call never seen is waited out for the grace, then not_found', () => {
    expect(verdict(thrice, { everSeen: false, ageMs: 119_999, polls: OFTEN }, limits)).toBeNull();
    expect(verdict(thrice, { everSeen: false, ageMs: 120_000, polls: OFTEN }, limits)).toBe('not_found');
  });

  it('is not believed once or twice, however old the call', () => {
    expect(verdict(streak(['not_found', 0], ['not_found', 60_000]), seen, limits)).toBeNull();
    expect(
      verdict(streak(['not_found', 0]), { everSeen: false, ageMs: 1_000_000, polls: OFTEN }, limits),
    ).toBeNull();
  });

  it('of a call that was seen is lost after three in a row over at least 30 s', () => {
    expect(verdict(thrice, seen, limits)).toBeNull();
    expect(verdict(extendStreak(thrice, 'not_found', 27_999), seen, limits)).toBeNull();
    expect(verdict(extendStreak(thrice, 'not_found', 28_000), seen, limits)).toBe('lost');
  });

  it('counts anew after another failure', () => {
    const broken = extendStreak(thrice, 'unavailable', 60_000);
    expect(verdict(extendStreak(broken, 'not_found', 60_000), seen, limits)).toBeNull();
  });
});

describe('400', () => {
  it('three times in a row is rejected', () => {
    const twice = streak(['rejected', 0], ['rejected', 1_000]);
    expect(verdict(twice, young, limits)).toBeNull();
    expect(verdict(extendStreak(twice, 'rejected', 1_000), young, limits)).toBe('rejected');
  });

  it('of a call that was seen is believed after 30 s', () => {
    const thrice = streak(['rejected', 0], ['rejected', 1_000], ['rejected', 1_000]);
    expect(verdict(thrice, seen, limits)).toBeNull();
    expect(verdict(extendStreak(thrice, 'rejected', 28_000), seen, limits)).toBe('rejected');
  });
});

describe('PolyAI away', () => {
  it.each<FailureCode>(['unavailable', 'malformed'])('%s settles nothing, however often', (code) => {
    const long = streak(...Array.from({ length: 50 }, (): [FailureCode, number] => [code, 60_000]));
    expect(long.failures).toBe(50);
    expect(verdict(long, seen, limits)).toBeNull();
  });

  it('for longer than a call is tracked is abandoned', () => {
    expect(
      verdict(streak(['unavailable', 0]), { everSeen: true, ageMs: 86_400_000, polls: OFTEN }, limits),
    ).toBe('abandoned');
  });

  it('is not abandoned where it was asked for too seldom: then a clock has jumped', () => {
    const aged = { everSeen: true, ageMs: 86_400_000 };
    expect(verdict(streak(['unavailable', 0]), { ...aged, polls: 239 }, limits)).toBeNull();
    expect(verdict(streak(['unavailable', 0]), { ...aged, polls: 240 }, limits)).toBe('abandoned');
  });

  it('with a refused token settles nothing at all', () => {
    expect(
      verdict(streak(['unauthorized', 0]), { everSeen: true, ageMs: 86_400_000, polls: OFTEN }, limits),
    ).toBeNull();
  });
});
