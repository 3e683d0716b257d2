import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { longPlan, type Plan, shortPlan } from '../chaos/plan.ts';
import type { Trouble } from '../chaos/trouble.ts';
import { coveredMs } from '../chaos/windows.ts';

const seeds = fc.integer({ min: 0, max: 2 ** 31 });
const long = (seed: number) => longPlan({ seed, seconds: 450, calls: 500 });
const short = (seed: number) => shortPlan({ seed, seconds: 50, calls: 100 });
const kindsOf = ({ troubles }: Plan) =>
  new Set(
    troubles.map(({ trouble }) =>
      trouble.kind === 'polyai' ? `polyai ${trouble.fault.kind}` : trouble.kind,
    ),
  );

const GRAY = [
  'burst of 429',
  'fail over postgres',
  'freeze connections',
  'gateway 404',
  'gateway 502',
  'lock table',
  'postgres read-only',
  'redis refuses OOM',
  'redis refuses READONLY',
  'stop reading log',
];
/** No work stops for longer. */
const MOMENTARY = new Set(['burst of 429', 'freeze connections']);

function grayTurns({ troubles }: Plan): { name: string; forMs: number }[] {
  return troubles.flatMap(({ trouble }) => {
    const name = grayName(trouble);
    return GRAY.includes(name) && 'forMs' in trouble ? [{ name, forMs: trouble.forMs }] : [];
  });
}

function grayName(trouble: Trouble): string {
  if (trouble.kind === 'gateway') return `gateway ${trouble.code}`;
  return trouble.kind === 'redis refuses' ? `redis refuses ${trouble.by}` : trouble.kind;
}

/** What a worker that wakes up is told does not wait. */
function isAwakening(trouble: Trouble): boolean {
  return trouble.kind === 'polyai' && trouble.fault.kind === 'stale';
}

describe('a plan of the chaos suite', () => {
  it('is all in its seed', () => {
    expect(long(7)).toEqual(long(7));
    expect(long(7)).not.toEqual(long(8));
  });

  it('has every fault there is, where it is a long one', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        expect([...kindsOf(long(seed))].sort()).toEqual([
          'burst of 429',
          'cut postgres',
          'cut redis',
          'fail over postgres',
          'flush redis',
          'freeze connections',
          'gateway',
          'kill api',
          'kill worker',
          'lock table',
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
          'postgres read-only',
          'redis away',
          'redis refuses',
          'refuse token',
          'restart postgres',
          'stop reading log',
          'stop worker',
        ]);
      }),
      { numRuns: 50 },
    );
  });

  it('draws each gray failure at least three times at full length, and once so long that it must be told of', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const turns = Map.groupBy(
          grayTurns(longPlan({ seed, seconds: 400, calls: 500 })),
          ({ name }) => name,
        );
        expect([...turns.keys()].sort()).toEqual(GRAY);
        for (const [name, drawn] of turns) {
          expect(drawn.length, name).toBeGreaterThanOrEqual(3);
          const longest = Math.max(...drawn.map(({ forMs }) => forMs));
          if (!MOMENTARY.has(name)) expect(longest, name).toBeGreaterThan(22_000);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('draws each gray failure once in a minute', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        expect(
          grayTurns(short(seed))
            .map(({ name }) => name)
            .sort(),
        ).toEqual(GRAY);
      }),
      { numRuns: 50 },
    );
  });

  it('speaks https in half of the runs, over HTTP/1.1 and HTTP/2', () => {
    const protocols = Array.from({ length: 400 }, (_, seed) => long(seed).protocol);
    const count = (protocol: string) => protocols.filter((one) => one === protocol).length;
    expect(count('http')).toBeGreaterThan(150);
    expect(count('https with h1')).toBeGreaterThan(60);
    expect(count('https with h2')).toBeGreaterThan(60);
  });

  it('lets nothing else go wrong at PolyAI while a gateway answers for it', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { troubles } = long(seed);
        const gateways = troubles.flatMap(({ at, trouble }) =>
          trouble.kind === 'gateway' ? [{ from: at, until: at + trouble.forMs }] : [],
        );
        const others = troubles.flatMap(({ at, trouble }) =>
          trouble.kind === 'polyai' && 'forMs' in trouble && !isAwakening(trouble)
            ? [{ from: at, until: at + trouble.forMs }]
            : [],
        );
        for (const other of others) expect(coveredMs(gateways, other)).toBe(0);
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
