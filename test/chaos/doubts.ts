import type { Evidence } from './evidence.ts';
import type { Showing } from './history.ts';
import { type Incident, type IncidentKind, isPostgresOut } from './incidents.ts';
import { covers, type Window, widened } from './windows.ts';

/** A process may die before it has committed what it saw so shortly before. */
const UNCOMMITTED_MS = 3_000;
/** Writes are tried again within 2 s of Postgres' return. */
const CATCHING_UP_MS = 5_000;
/** Until a follower whose lock is lost, or a job that was forgotten, is found out. */
const DOUBLE_FOLLOWING_MS = 25_000;
const SKEW_MS = 100;

const DOUBLING: ReadonlySet<IncidentKind> = new Set([
  'worker killed',
  'worker paused',
  'redis flushed',
  'redis away',
  'redis cut',
  'redis refusing',
]);

/** Times in which a call may rightly be followed by two. */
export function doubleFollowing(incidents: readonly Incident[]): Window[] {
  return incidents
    .filter(({ kind }) => DOUBLING.has(kind))
    .map((one) => widened(one, 0, DOUBLE_FOLLOWING_MS));
}

/** Whether whoever got the answer may never have been able to store it. */
export type Doubt = (showing: Showing) => boolean;

export function doubts({ incidents, settings }: Evidence): Doubt {
  const kills = of(incidents, 'worker killed').map(({ from }) => from);
  const stops = of(incidents, 'worker stopped').map(({ from }) => from);
  const pauses = of(incidents, 'worker paused').map((one) => widened(one, UNCOMMITTED_MS, SKEW_MS));
  const postgresAway = incidents
    .filter(isPostgresOut)
    .map((one) => widened(one, UNCOMMITTED_MS, CATCHING_UP_MS));
  const frozen = of(incidents, 'connections frozen').map((one) => widened(one, SKEW_MS, SKEW_MS));
  const doubled = doubleFollowing(incidents);

  return ({ at, finishedAt }) => {
    // Its client may have given up in the same moment.
    if (finishedAt - at > settings.pollTimeoutMs * 0.7) return true;
    if (kills.some((kill) => at <= kill + SKEW_MS && finishedAt >= kill - UNCOMMITTED_MS)) return true;
    if (covers(pauses, finishedAt)) return true;
    // It was given to a connection that let nothing through any more.
    if (frozen.some(({ from, until }) => at <= until && finishedAt >= from)) return true;
    return postgresAway.some((away) => {
      if (!covers([away], finishedAt)) return false;
      // A shutdown does not wait for Postgres for ever; and of two followers the later status may be written first.
      const ended = [...kills, ...stops].some(
        (end) => end >= finishedAt - UNCOMMITTED_MS && end <= away.until,
      );
      return ended || covers(doubled, finishedAt);
    });
  };
}

function of(incidents: readonly Incident[], kind: IncidentKind): Incident[] {
  return incidents.filter((incident) => incident.kind === kind);
}
