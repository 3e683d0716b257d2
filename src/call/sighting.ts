import type { CallState, Observation, Sighting } from './call.ts';

/** When a change may have happened: between the two polls that saw the one status and the other. Pure. */

/**
 * An observation of a call in `state` at its time. `askedBefore` is when the last successful poll was asked, in epoch
 * milliseconds, or null where there was none: a change that is seen now happened after that.
 */
export function sightingOf(
  observation: Observation,
  state: CallState,
  askedBefore: number | null,
  times: Pick<Sighting, 'observedAt' | 'seenAt'>,
): Sighting {
  if (state.status === null || askedBefore === null) return { ...observation, changedAfter: null, ...times };
  // The wall clock may have been set back between the two polls.
  const changedAfter = new Date(Math.min(askedBefore, times.observedAt.getTime()));
  return { ...observation, changedAfter, ...times };
}

/** When PolyAI showed what is read `now` and was asked for at `askedAt`, both in epoch milliseconds. */
export function seenBy(now: number, askedAt: number, pollTimeoutMs: number): number {
  return Math.min(now, askedAt + pollTimeoutMs);
}

/**
 * When the last successful poll of a call was asked, in epoch milliseconds, as far as its row tells: it was seen at
 * `lastSeenAt`, and asked no more than a time-out before (`seenBy`). null where PolyAI has shown nothing yet.
 */
export function askedBefore({ lastSeenAt }: CallState, pollTimeoutMs: number): number | null {
  return lastSeenAt === null ? null : lastSeenAt.getTime() - pollTimeoutMs;
}
