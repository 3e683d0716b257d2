import { outages } from './check-polls.ts';
import { doubleFollowing } from './doubts.ts';
import type { CallEvidence, Evidence, PromiseSample } from './evidence.ts';
import { isShowing } from './history.ts';
import { isPostgresOut } from './incidents.ts';
import type { Violation } from './violation.ts';
import { coveredMs, covers, type Window, widened } from './windows.ts';

/** A call that was polled twice in so long is followed, and who follows has promised it before. */
const FOLLOWED_MS = 4_000;
/** Promises are written again within moments of Postgres' return. */
const CATCHING_UP_MS = 15_000;

/** Every call that is followed was promised to be, and none waits for long without a promise. */
export function checkPromises(evidence: Evidence): Violation[] {
  return [...overdue(evidence), ...unpromised(evidence)];
}

/** The sweeper of each worker comes every 15 s: in half of that time it has had its turn, unless all was away. */
function overdue({ promises, incidents, workers, settings: { overdueMs } }: Evidence): Violation[] {
  const away = outages(incidents, workers);
  return promises
    .filter(({ at }) => coveredMs(away, { from: at - overdueMs, until: at }) < overdueMs / 2)
    .flatMap(({ at, lapsed }) =>
      lapsed
        .filter(({ forMs }) => forMs > overdueMs)
        .map(({ callSid, forMs }) => ({
          kind: 'overdue',
          callSid,
          detail: `not promised to be followed for ${Math.round(forMs)} ms at ${new Date(at).toISOString()}`,
        })),
    );
}

function unpromised(evidence: Evidence): Violation[] {
  const excused = unpromisedWindows(evidence);
  const calls = new Map(evidence.calls.map((call) => [call.callSid, call]));
  return evidence.promises
    .filter(({ at }) => !covers(excused, at))
    .flatMap(({ at, lapsed }: PromiseSample) =>
      lapsed
        .filter(({ callSid, forMs }) => forMs > FOLLOWED_MS && isFollowed(calls.get(callSid), at))
        .map(({ callSid }) => ({
          kind: 'unpromised',
          callSid,
          detail: `followed without a promise at ${new Date(at).toISOString()}`,
        })),
    );
}

function isFollowed(call: CallEvidence | undefined, at: number): boolean {
  const polls = call?.polls.filter((poll) => poll.at > at - FOLLOWED_MS && poll.at <= at) ?? [];
  return polls.filter(isShowing).length >= 2;
}

/** Of two followers the one that lets go takes back what the other promised, until that one's lease is over. */
function unpromisedWindows({ incidents, settings }: Evidence): Window[] {
  const postgres = incidents.filter(isPostgresOut);
  return [
    ...postgres.map((one) => widened(one, 0, CATCHING_UP_MS)),
    ...doubleFollowing(incidents).map((one) => widened(one, 0, settings.leaseMs * 1.25)),
  ];
}
