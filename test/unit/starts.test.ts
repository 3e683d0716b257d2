import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Starts } from '../../src/polyai/starts.ts';

function ask(starts: Starts, count: number): number[] {
  const begun: number[] = [];
  for (let n = 0; n < count; n++) void Promise.resolve(starts.mayBegin()).then(() => begun.push(n));
  return begun;
}

it('all begin, in the order they came, and a few at a time', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 300 }), async (count) => {
      const begun = ask(new Starts(), count);
      const together: number[] = [];
      for (let before = -1; before < begun.length; ) {
        before = begun.length;
        await nextTurn();
        together.push(begun.length - before);
      }
      expect(begun).toEqual(Array.from({ length: count }, (_, n) => n));
      expect(Math.max(...together)).toBeLessThanOrEqual(32);
    }),
  );
});

it('whoever comes alone begins at once, turn after turn', async () => {
  const starts = new Starts();
  for (let n = 0; n < 50; n++) {
    const begun = ask(starts, 1);
    await Promise.resolve();
    expect(begun).toEqual([0]);
    await nextTurn();
  }
});

it('all that wait have begun once it is open, and nobody waits after that', async () => {
  const starts = new Starts();
  const begun = ask(starts, 1_000);
  await starts.open();
  expect(begun).toHaveLength(1_000);
  const later = ask(starts, 100);
  await Promise.resolve();
  expect(later).toHaveLength(100);
});
