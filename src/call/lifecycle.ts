import {
  type Advance,
  type CallState,
  CONCLUSIONS,
  type Conclusion,
  type Outcome,
  type Sighting,
} from './call.ts';

/** PolyAI's clock and ours may be so far apart. A time that is further ahead is none. */
const CLOCKS_APART_MS = 24 * 60 * 60_000;
/** No life has nearly as many. A status that flips at each poll must not fill the archive; an end is always kept. */
export const MAX_TRANSITIONS = 100;

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

/** Whether polykeep drew it, and PolyAI may still show otherwise. */
export function isConclusion(outcome: Outcome): outcome is Conclusion {
  return CONCLUSIONS.some((conclusion) => conclusion === outcome);
}

/**
 * What one sighting means for a call.
 *
 * PolyAI's end never changes ("Terminal statuses are final", PolyAI's documentation). For the same reason a terminal
 * sighting is never stale, whatever its times: nothing can follow an end, and to drop one is to lose it. A conclusion is
 * taken back by whatever PolyAI shows: that is a transition, also where the status is the one before, so that the feed
 * tells of it.
 */
export function advance(state: CallState, sighting: Sighting): Advance {
  if (state.outcome !== null && !isConclusion(state.outcome)) return { kind: 'settled' };
  const isTakenBack = state.outcome !== null;
  const outcome = outcomeOf(sighting.status);
  if (outcome === null && !isTakenBack && isStale(state, sighting)) return { kind: 'stale' };

  const seen = seenAgain(state, sighting);
  const isSameStatus = sighting.status === state.status;
  if (!isTakenBack && isSameStatus) {
    if (sighting.reason === state.reason) return { kind: 'unchanged', state: seen };
    return { kind: 'amendment', state: { ...seen, reason: sighting.reason } };
  }
  if (outcome === null && !isTakenBack && state.transitionCount >= MAX_TRANSITIONS) {
    return { kind: 'unchanged', state: seen };
  }
  return {
    kind: 'transition',
    state: {
      ...seen,
      status: sighting.status,
      reason: sighting.reason,
      outcome,
      settledAt: outcome === null ? null : sighting.observedAt,
      transitionCount: state.transitionCount + 1,
    },
  };
}

/** The state with the times of a sighting, and nothing else of it. */
function seenAgain(state: CallState, sighting: Sighting): CallState {
  return {
    ...state,
    createdAt: state.createdAt ?? sighting.createdAt,
    lastUpdated: newest(state.lastUpdated, credibleTime(sighting.lastUpdated, sighting.observedAt)),
    firstSeenAt: state.firstSeenAt ?? sighting.observedAt,
    lastSeenAt: newest(state.lastSeenAt, sighting.seenAt),
  };
}

/** Settles a call that PolyAI showed no end of; null where it is settled already, or was seen though it was never to be. */
export function close(state: CallState, outcome: Conclusion, at: Date): CallState | null {
  if (state.outcome !== null) return null;
  const wasNeverSeen = outcome === 'not_found' || outcome === 'rejected';
  if (wasNeverSeen && state.status !== null) return null;
  return { ...state, outcome, settledAt: at };
}

/**
 * Whether a sighting is of an earlier status, as a replica of PolyAI's that lags shows it. The times decide. They may
 * be whole seconds: where they are equal, or one is missing, the rank decides. A status without a rank is never stale
 * by it.
 */
function isStale(state: CallState, sighting: Sighting): boolean {
  const before = credibleTime(state.lastUpdated, sighting.observedAt);
  const now = credibleTime(sighting.lastUpdated, sighting.observedAt);
  if (before !== null && now !== null) {
    const difference = now.getTime() - before.getTime();
    if (difference !== 0) return difference < 0;
  }
  if (state.status === null) return false;
  const rankBefore = RANK.get(state.status);
  const rankNow = RANK.get(sighting.status);
  return rankBefore !== undefined && rankNow !== undefined && rankNow < rankBefore;
}

/** A time of PolyAI's, or null where it lies so far in the future that it can order nothing. */
function credibleTime(time: Date | null, observedAt: Date): Date | null {
  return time !== null && time.getTime() - observedAt.getTime() > CLOCKS_APART_MS ? null : time;
}

function newest(a: Date | null, b: Date | null): Date | null {
  if (a === null || b === null) return a ?? b;
  return a > b ? a : b;
}
