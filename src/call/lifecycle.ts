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

/**
 * The order in which statuses come before the end. PolyAI documents `queued` and `calling` today, the others are older.
 */
const RANK: ReadonlyMap<string, number> = new Map([
  ['created', 0],
  ['queued', 1],
  ['calling', 2],
  ['ringing', 3],
  ['in-progress', 4],
]);

/** The statuses that have a rank or an outcome. PolyAI may show others. */
export const KNOWN_STATUSES: ReadonlySet<string> = new Set([...RANK.keys(), ...OUTCOME_OF_STATUS.keys()]);

/** The outcome of a lower-cased status; null where the status is not terminal. */
export function outcomeOf(status: string): Outcome | null {
  return OUTCOME_OF_STATUS.get(status) ?? null;
}

/**
 * What one sighting means for a call.
 *
 * A settled call never changes: "Terminal statuses are final" (PolyAI's documentation). For the same reason a terminal
 * sighting is never stale, whatever its times: no status can follow it, and if it were dropped the end would be lost.
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

/**
 * The state of a call that polykeep settles, as PolyAI showed no end of it. null where it is settled already, and where
 * PolyAI has shown a call that is to be `not_found`.
 */
export function close(state: CallState, outcome: Outcome, at: Date): CallState | null {
  if (state.outcome !== null) return null;
  if (outcome === 'not_found' && state.status !== null) return null;
  return { ...state, outcome, settledAt: at };
}

/**
 * Whether a sighting is of an earlier status, as a replica of PolyAI's that lags shows it. The times decide. They may
 * be whole seconds: where they are equal, or one is missing, the rank decides. A status without a rank is never stale
 * by it.
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
