import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type DeniedCall,
  extendStreak,
  type FailureCode,
  type FailureStreak,
  verdict,
} from '../../src/call/verdict.ts';

const HOUR = 3_600_000;
const limits = { notFoundGraceMs: 120_000, retentionMs: 2 * HOUR, maxTrackingMs: 24 * HOUR };
const OFTEN = 1_000_000;
const unseen: DeniedCall = { ageMs: 120_000, polls: OFTEN, silentMs: null, accountIsTrusted: true };
const seen: DeniedCall = { ageMs: 5 * HOUR, polls: OFTEN, silentMs: 2 * HOUR, accountIsTrusted: true };

/** A streak of failed polls, each with the time since the one before. */
function streak(...polls: [code: FailureCode, sinceLastMs: number][]): FailureStreak {
  const result = polls.reduce<FailureStreak | null>((last, [code, ms]) => extendStreak(last, code, ms), null);
  if (result === null) throw new Error('no polls');
  return result;
}

const denied = (code: FailureCode) => streak([code, 0], [code, 15_000], [code, 15_000]);

describe('a call that was never seen', () => {
  it.each([
    ['not_found', 'not_found'],
    ['rejected', 'rejected'],
  ] as const)('is %s after the grace, where PolyAI said so three times in a row', (code, outcome) => {
    expect(verdict(denied(code), unseen, limits)).toBe(outcome);
    expect(verdict(denied(code), { ...unseen, ageMs: 119_999 }, limits)).toBeNull();
    expect(verdict(streak([code, 0], [code, 60_000]), { ...unseen, ageMs: HOUR }, limits)).toBeNull();
  });

  it('of an account that has shown no status is waited for as long as PolyAI keeps a call', () => {
    const unproven = { ...unseen, accountIsTrusted: false };
    expect(verdict(denied('not_found'), { ...unproven, ageMs: 2 * HOUR - 1 }, limits)).toBeNull();
    expect(verdict(denied('not_found'), { ...unproven, ageMs: 2 * HOUR }, limits)).toBe('not_found');
  });
});

describe('a call that was seen', () => {
  it.each(['not_found', 'rejected'] as const)(
    'and is denied by %s is lost when PolyAI can have forgotten it',
    (code) => {
      expect(verdict(denied(code), seen, limits)).toBe('lost');
      expect(verdict(denied(code), { ...seen, silentMs: 2 * HOUR - 1 }, limits)).toBeNull();
    },
  );

  it('is denied by 404 and 400 alike, in any order', () => {
    const mixed = streak(['not_found', 0], ['rejected', 15_000], ['not_found', 15_000]);
    expect(verdict(mixed, seen, limits)).toBe('lost');
  });

  it('is lost after three answers over 30 s, not before', () => {
    expect(verdict(streak(['not_found', 0], ['not_found', 60_000]), seen, limits)).toBeNull();
    const quick = streak(['not_found', 0], ['not_found', 10_000], ['not_found', 19_999]);
    expect(verdict(quick, seen, limits)).toBeNull();
    expect(verdict(extendStreak(quick, 'not_found', 1), seen, limits)).toBe('lost');
  });

  it('is counted anew after a failure that is no denial', () => {
    const broken = extendStreak(denied('not_found'), 'unavailable', 60_000);
    expect(verdict(extendStreak(broken, 'not_found', 60_000), seen, limits)).toBeNull();
  });

  it('is never lost within the time that PolyAI keeps it, whatever a gateway answers', () => {
    const codes = fc.constantFrom<FailureCode>(
      'not_found',
      'rejected',
      'unavailable',
      'malformed',
      'too_many',
    );
    const polls = fc.array(fc.tuple(codes, fc.integer({ min: 0, max: 60_000 })), {
      minLength: 1,
      maxLength: 200,
    });
    fc.assert(
      fc.property(
        polls,
        fc.integer({ min: 0, max: 2 * HOUR - 1 }),
        fc.boolean(),
        (all, silentMs, accountIsTrusted) => {
          const call = { ageMs: 20 * HOUR, polls: OFTEN, silentMs, accountIsTrusted };
          expect(verdict(streak(...all), call, limits)).toBeNull();
        },
      ),
    );
  });
});

describe('PolyAI away', () => {
  it.each<FailureCode>(['unavailable', 'malformed'])('%s settles nothing, however often', (code) => {
    const long = streak(...Array.from({ length: 50 }, (): [FailureCode, number] => [code, 60_000]));
    expect(long.failures).toBe(50);
    expect(verdict(long, seen, limits)).toBeNull();
  });

  it('for longer than a call is followed is abandoned', () => {
    expect(verdict(streak(['unavailable', 0]), { ...seen, ageMs: 24 * HOUR }, limits)).toBe('abandoned');
  });

  it('is not abandoned where it was asked for too seldom: then a clock has jumped', () => {
    const aged = { ...seen, ageMs: 24 * HOUR };
    expect(verdict(streak(['unavailable', 0]), { ...aged, polls: 239 }, limits)).toBeNull();
    expect(verdict(streak(['unavailable', 0]), { ...aged, polls: 240 }, limits)).toBe('abandoned');
  });

  it('with a refused token settles nothing at all', () => {
    expect(verdict(streak(['unauthorized', 0]), { ...seen, ageMs: 24 * HOUR }, limits)).toBeNull();
  });
});
