import { setTimeout as sleep } from 'node:timers/promises';

/** Rejects where the work is not done in time, so that nothing here waits for ever. */
export async function within<Result>(ms: number, what: string, work: Promise<Result>): Promise<Result> {
  const done = new AbortController();
  const late = sleep(ms, undefined, { signal: done.signal }).then(
    () => {
      throw new Error(`${what}: not done within ${ms} ms`);
    },
    () => new Promise<never>(() => {}),
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    done.abort();
  }
}

/** One at a time, in the order they came. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take<Result>(work: () => Promise<Result>): Promise<Result> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => {});
    return mine;
  }
}

/** Sleeps, or ends at once when the signal is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(Math.max(0, ms), undefined, { signal }).catch(() => {});
}

/** Rejects when the signal is aborted, and never resolves. */
export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
