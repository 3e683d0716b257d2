import { callSidOf } from '../lives.ts';

export const CALLS = 5_000;
/** Until their lives begin: all calls are to be followed by then, so that each candidate has as many. */
export const AHEAD_MS = 3_000;

/** Lives that begin in a moment: transitions keep coming all the while, and most calls live on to its end. */
export function newCalls(lastMs: number, count = CALLS): { callSids: string[]; startsAt: number } {
  const startsAt = Date.now() + AHEAD_MS;
  const callSids = Array.from({ length: count }, (_, n) => {
    // Spread evenly and without a pattern, and alike for all candidates.
    const [first, second] = [(n * 0.618_034) % 1, (n * 0.754_878) % 1];
    return callSidOf({ startsAt, queuedMs: first * lastMs, callingMs: (1 + second) * (lastMs / 2) }, n);
  });
  return { callSids, startsAt };
}
