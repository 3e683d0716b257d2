import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { longPlan, type Plan, shortPlan } from '../chaos/plan.ts';

const seeds = fc.integer({ min: 0, max: 2 ** 31 });
const long = (seed: number) => longPlan({ seed, seconds: 450, calls: 500 });
const short = (seed: number) => shortPlan({ seed, seconds: 50, calls: 100 });
const kindsOf = ({ troubles }: Plan) =>
  new Set(
    troubles.map(({ trouble }) =>
      trouble.kind === 'polyai' ? `polyai ${trouble.fault.kind}` : trouble.kind,
    ),
  );

describe('a plan of the chaos suite', () => {
  it('is all in its seed', () => {
    expect(long(7)).toEqual(long(7));
    expect(long(7)).not.toEqual(long(8));
  });

  it('has every fault there is, where it is a long one', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        expect([...kindsOf(long(seed))].sort()).toEqual([
          'cut postgres',
          'cut redis',
          'flush redis',
          'kill api',
          'kill worker',
          'pause worker',
          'polyai cut',
          'polyai delay',
          'polyai gzip',
          'polyai half-json',
          'polyai hang',
          'polyai html',
          'polyai huge',
          'polyai no-status',
          'polyai redirect',
          'polyai reset',
          'polyai slow-drip',
          'polyai stale',
          'polyai status',
          'polyai wrong-call-sid',
          'postgres away',
          'redis away',
          'refuse token',
          'restart postgres',
          'stop worker',
        ]);
      }),
      { numRuns: 50 },
    );
  });

  it('ends in a calm in which every call has ended', () => {
    fc.assert(
      fc.property(seeds, fc.constantFrom(long, short), (seed, planOf) => {
        const { registrations, troubles, calmAt, settledBy } = planOf(seed);
        const ends = registrations.flatMap(({ at, calls }) =>
          calls.map(({ script }) => at + script.reduce((sum, { forMs }) => sum + forMs, 0)),
        );
        expect(Math.max(...ends)).toBeLessThan(settledBy * 0.85);
        expect(Math.max(...troubles.map(({ at }) => at))).toBeLessThan(calmAt);
      }),
      { numRuns: 50 },
    );
  });

  it('places each call once, and no two changes of a call in the same second', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const calls = short(seed).registrations.flatMap((registration) => registration.calls);
        expect(new Set(calls.map(({ callSid }) => callSid)).size).toBe(100);
        for (const { script } of calls) {
          expect(script.slice(0, -1).every(({ forMs }) => forMs > 1_000)).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });
});
