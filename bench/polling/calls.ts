import { callSidOf } from '../lives.ts';

export const CALLS = 5_000;

/** Lives that begin now: transitions keep coming all the while, and most calls live on to its end. */
export function newCalls(lastMs: number, count = CALLS): string[] {
  const startsAt = Date.now();
  return Array.from({ length: count }, (_, n) => {
    // Spread evenly and without a pattern, and alike for all candidates.
    const [first, second] = [(n * 0.618_034) % 1, (n * 0.754_878) % 1];
    return callSidOf({ startsAt, queuedMs: first * lastMs, callingMs: (1 + second) * (lastMs / 2) }, n);
  });
}
