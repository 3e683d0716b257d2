import { callSidOf } from '../lives.ts';
import type { Running } from './candidate.ts';

export const CALLS = 5_000;

/**
 * Has the candidate follow calls that live for so long, and then lets their lives begin: so each candidate has as many,
 * however long it takes it to take them up. Transitions keep coming all the while, and most calls live on to its end.
 */
export async function follow({ follow, upstream }: Running, lastMs: number): Promise<void> {
  const startsAt = Date.now();
  await upstream.lives({ heldAt: startsAt });
  await follow(newCalls(startsAt, lastMs));
  await upstream.lives({ laterBy: Date.now() - startsAt });
}

function newCalls(startsAt: number, lastMs: number): string[] {
  return Array.from({ length: CALLS }, (_, n) => {
    // Spread evenly and without a pattern, and alike for all candidates.
    const [first, second] = [(n * 0.618_034) % 1, (n * 0.754_878) % 1];
    return callSidOf({ startsAt, queuedMs: first * lastMs, callingMs: (1 + second) * (lastMs / 2) }, n);
  });
}
