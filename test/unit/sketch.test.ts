import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Sketch } from '../../src/call/sketch.ts';

const durations = fc.array(
  fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 600_000 }), fc.maxSafeNat()),
  { maxLength: 200 },
);

function sketchOf(all: readonly number[]): Sketch {
  const sketch = new Sketch();
  for (const ms of all) sketch.add(ms);
  return sketch;
}

/** By linear interpolation between the closest ranks, as Postgres' percentile_cont. */
function quantile(all: readonly number[], fraction: number): number {
  const sorted = all.toSorted((a, b) => a - b);
  const rank = fraction * (sorted.length - 1);
  const [low = 0, high = low] = [sorted[Math.floor(rank)], sorted[Math.ceil(rank)]];
  return low + (high - low) * (rank - Math.floor(rank));
}

const bytes = (sketch: Sketch) => [...sketch.toBytes()];

describe('a sketch', () => {
  it('has percentiles within 1 % of the exact ones', () => {
    fc.assert(
      fc.property(durations, fc.double({ min: 0, max: 1, noNaN: true }), (all, fraction) => {
        const found = sketchOf(all).quantile(fraction);
        const exact = quantile(all, fraction);
        if (all.length === 0) expect(found).toBeNull();
        else expect(Math.abs((found ?? Number.NaN) - exact)).toBeLessThanOrEqual(exact / 100);
      }),
    );
  });

  it('is what its bytes say', () => {
    fc.assert(
      fc.property(durations, durations, (added, takenOut) => {
        const sketch = sketchOf(added);
        for (const ms of takenOut) sketch.add(ms, -1);
        const read = new Sketch();
        read.mergeBytes(sketch.toBytes());
        expect(bytes(read)).toEqual(bytes(sketch));
        expect(read.isEmpty).toBe(bytes(sketch).length === 0);
      }),
    );
  });

  it('adds up, and can be taken out again, in any order', () => {
    fc.assert(
      fc.property(durations, durations, (a, b) => {
        const both = bytes(sketchOf([...a, ...b]));
        const merged = sketchOf(a);
        merged.merge(sketchOf(b));
        expect(bytes(merged)).toEqual(both);
        const left = new Sketch();
        left.mergeBytes(sketchOf(b).toBytes(), -1);
        left.mergeBytes(Uint8Array.from(both));
        expect(bytes(left)).toEqual(bytes(sketchOf(a)));
      }),
    );
  });

  it('takes few bytes', () => {
    const waits = Array.from(
      { length: 10_000 },
      (_, index) => 1_000 + Math.round(-8_000 * Math.log(1 - index / 10_000)),
    );
    expect(sketchOf(waits).toBytes().length).toBeLessThan(1_000);
  });
});
