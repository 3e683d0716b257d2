import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from 'vitest';
import { batched } from '../../src/archive/batch.ts';
import { ArchiveUnavailableError } from '../../src/archive/errors.ts';

describe('a batched function', () => {
  it('runs once for what comes together, and answers each with its own', async () => {
    const sizes: number[] = [];
    const double = batched<number, number>(async (items) => {
      sizes.push(items.length);
      return items.map((item) => 2 * item);
    });
    expect(await Promise.all([1, 2, 3].map(double))).toEqual([2, 4, 6]);
    expect(sizes).toEqual([3]);
  });

  it('runs no more batches at once than it may; what comes meanwhile is gathered in one', async () => {
    const running: PromiseWithResolvers<void>[] = [];
    const sizes: number[] = [];
    const slow = batched<number, number>(
      async (items) => {
        sizes.push(items.length);
        const done = Promise.withResolvers<void>();
        running.push(done);
        await done.promise;
        return [...items];
      },
      { atOnce: 2 },
    );
    const answers: Promise<number>[] = [];
    for (let n = 0; n < 2; n++) {
      answers.push(slow(n));
      await expect.poll(() => running.length).toBe(n + 1);
    }
    for (let n = 2; n < 30; n++) {
      answers.push(slow(n));
      await new Promise((later) => setTimeout(later, 1));
    }
    expect(sizes).toEqual([1, 1]);
    running[0]?.resolve();
    await expect.poll(() => sizes).toEqual([1, 1, 28]);
    for (const { resolve } of running) resolve();
    expect(await Promise.all(answers)).toEqual(Array.from({ length: 30 }, (_, n) => n));
  });

  it('refuses what comes when as many wait as may, and takes more when they have been answered', async () => {
    const done = Promise.withResolvers<void>();
    const slow = batched<number, number>(
      async (items) => {
        await done.promise;
        return [...items];
      },
      { atMost: 2 },
    );
    const answers = [slow(1), slow(2)];
    await expect(slow(3)).rejects.toThrow(ArchiveUnavailableError);
    done.resolve();
    expect(await Promise.all(answers)).toEqual([1, 2]);
    expect(await slow(4)).toBe(4);
  });

  it('runs a batch in the context of what began it, also where it waited for another one', async () => {
    const request = new AsyncLocalStorage<number>();
    const running: PromiseWithResolvers<void>[] = [];
    const begunBy: unknown[] = [];
    const slow = batched<number, number>(
      async (items) => {
        begunBy.push(request.getStore());
        const done = Promise.withResolvers<void>();
        running.push(done);
        await done.promise;
        return [...items];
      },
      { atOnce: 1 },
    );
    const answers = [request.run(1, () => slow(1))];
    await expect.poll(() => running.length).toBe(1);
    answers.push(request.run(2, () => slow(2)));
    // Longer than it is gathered for: now it waits for the first one.
    await new Promise((later) => setTimeout(later, 20));
    running[0]?.resolve();
    await expect.poll(() => begunBy).toEqual([1, 2]);
    running[1]?.resolve();
    await Promise.all(answers);
  });

  it('goes on after a batch that failed', async () => {
    let batches = 0;
    const once = batched<number, number>(
      async (items) => {
        if (++batches === 1) throw new Error('first');
        return [...items];
      },
      { atOnce: 1 },
    );
    await expect(once(1)).rejects.toThrow('first');
    expect(await once(2)).toBe(2);
  });
});
