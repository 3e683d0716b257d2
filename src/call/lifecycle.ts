import type { Advance, CallState, Outcome, Sighting } from './call.ts';

const OUTCOME_OF_STATUS: ReadonlyMap<string, Outcome> = new Map([
  ['success', 'success'],
  ['completed', 'success'],
  ['failure', 'failure'],
  ['failed', 'failure'],
  ['no-answer', 'failure'],
  ['busy', 'failure'],
  ['cancelled', 'failure'],
]);

/** Order of the statuses on the way to the end; older names beside the two that PolyAI documents today. */
const RANK: ReadonlyMap<string, number> = new Map([
  ['created', 0],
  ['queued', 1],
  ['calling', 2],
  ['ringing', 3],
  ['in-progress', 4],
]);

/** Every status that means something here; PolyAI may show others. */
export const KNOWN_STATUSES: ReadonlySet<string> = new Set([...RANK.keys(), ...OUTCOME_OF_STATUS.keys()]);

/** The outcome that a (lower-cased) status stands for, or null where it is not terminal. */
export function outcomeOf(status: string): Outcome | null {
  return OUTCOME_OF_STATUS.get(status) ?? null;
}

/**
 * What one sighting means for a call.
 *
 * A settled call never changes ("Terminal statuses are final", PolyAI's documentation). For the same reason a
 * terminal sighting is never stale, whatever its times: nothing can follow an end, and to drop one is to lose it.
 */
export function advance(state: CallState, sighting: Sighting): Advance {
  if (state.outcome !== null) return { kind: 'settled' };
  const outcome = outcomeOf(sighting.status);
  if (outcome === null && isStale(state, sighting)) return { kind: 'stale' };

  const seen: CallState = {
    ...state,
    createdAt: state.createdAt ?? sighting.createdAt,
    lastUpdated: newest(state.lastUpdated, sighting.lastUpdated),
    firstSeenAt: state.firstSeenAt ?? sighting.observedAt,
    lastSeenAt: newest(state.lastSeenAt, sighting.observedAt),
  };
  if (sighting.status === state.status && sighting.reason === state.reason)
    return { kind: 'unchanged', state: seen };

  seen.reason = sighting.reason;
  if (sighting.status === state.status) return { kind: 'amendment', state: seen };
  seen.status = sighting.status;
  seen.outcome = outcome;
  seen.settledAt = outcome === null ? null : sighting.observedAt;
  return { kind: 'transition', state: seen };
}

/** Settles a call that PolyAI showed no end of; null where it is settled already, or `not_found` after all was seen. */
export function close(state: CallState, outcome: Outcome, at: Date): CallState | null {
  if (state.outcome !== null) return null;
  if (outcome === 'not_found' && state.status !== null) return null;
  return { ...state, outcome, settledAt: at };
}

/**
 * A replica of PolyAI's that lags shows an earlier status. Times decide; they may be whole seconds, so on a tie (or
 * without times) the rank decides. An unknown status has no rank, and is never held to be stale for it.
 */
function isStale(state: CallState, sighting: Sighting): boolean {
  if (state.lastUpdated !== null && sighting.lastUpdated !== null) {
    const difference = sighting.lastUpdated.getTime() - state.lastUpdated.getTime();
    if (difference !== 0) return difference < 0;
  }
  if (state.status === null) return false;
  const before = RANK.get(state.status);
  const now = RANK.get(sighting.status);
  return before !== undefined && now !== undefined && now < before;
}

function newest(a: Date | null, b: Date | null): Date | null {
  if (a === null || b === null) return a ?? b;
  return a > b ? a : b;
}
