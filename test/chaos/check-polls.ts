import { doubleFollowing } from './doubts.ts';
import type { CallEvidence, Evidence } from './evidence.ts';
import { isShowing, stagesOf } from './history.ts';
import { type Incident, type IncidentKind, isPostgresOut } from './incidents.ts';
import type { Violation } from './violation.ts';
import { commonWindows, coveredMs, covers, type Window, widened } from './windows.ts';

const LOCK_MS = 30_000;
const STALLED_CHECK_MS = 15_000;
const SWEEP_MS = 15_000;
const PROBE_MS = 30_000;
/** How long after the end a follower may ask once more, on top of the poll's own time. */
const LATE_MS = 10_000;
/** For a time-out to be seen on a busy machine. */
const LEAVING_MS = 3_000;
const SKEW_MS = 100;
/** While one of these lasts, a follower cannot learn of the end. */
const DEAFENING: ReadonlySet<IncidentKind> = new Set([
  'worker paused',
  'postgres away',
  'postgres read-only',
  'postgres failover',
  'table locked',
  'token refused',
  'polyai',
  'gateway',
  'connections frozen',
]);

/** After a burst of 429 the rate grows back: meanwhile a follower may wait in the line that long. */
const GROWING_BACK_MS = 60_000;

/** While one of these lasts, a call may be waiting for whoever follows it next. */
const DISTURBING: ReadonlySet<IncidentKind> = new Set(['redis away', 'redis refusing', 'worker paused']);

export function checkPolls(call: CallEvidence, evidence: Evidence): Violation[] {
  return [
    ...gaps(call, evidence),
    ...doublePolls(call, evidence),
    ...blind(call, evidence),
    ...latePolls(call, evidence),
  ];
}

export interface Gap extends Window {
  ms: number;
}

/** From the registration, from poll to poll, to the one that showed the end. */
function gapsOf({ archived, polls }: CallEvidence): Gap[] {
  if (archived === null) return [];
  const until = archived.settledAt === null ? Infinity : Date.parse(archived.settledAt);
  const times = polls.map(({ at }) => at).filter((at) => at <= until);
  times.sort((a, b) => a - b);
  let from = Date.parse(archived.registeredAt);
  return times.map((at) => {
    const gap = { from, until: at, ms: at - from };
    from = at;
    return gap;
  });
}

export function longestGap(call: CallEvidence): Gap {
  return gapsOf(call).reduce((longest, gap) => (gap.ms > longest.ms ? gap : longest), {
    from: 0,
    until: 0,
    ms: 0,
  });
}

function gaps(call: CallEvidence, { settings, incidents, workers }: Evidence): Violation[] {
  const { leaseMs, backoffMaxMs, pollTimeoutMs } = settings;
  const allowed = leaseMs * 1.25 + LOCK_MS + STALLED_CHECK_MS + SWEEP_MS + backoffMaxMs + pollTimeoutMs;
  const gap = longestGap(call);
  if (gap.ms <= allowed) return [];
  const excused = coveredMs(outages(incidents, workers), gap);
  if (gap.ms <= allowed + excused) return [];
  const detail = `${Math.round(gap.ms)} ms without a poll from ${iso(gap.from)} on, ${allowed + excused} are allowed`;
  return [{ kind: 'gap', callSid: call.callSid, detail }];
}

/** Times in which nobody could follow. */
export function outages(incidents: readonly Incident[], workers: number): Window[] {
  const away = incidents.filter((incident) => isPostgresOut(incident) || DISTURBING.has(incident.kind));
  const refused = incidents
    .filter(({ kind }) => kind === 'token refused')
    .map((one) => widened(one, 0, PROBE_MS));
  return [...away, ...refused, ...withoutWorkers(incidents, workers)];
}

function withoutWorkers(incidents: readonly Incident[], workers: number): Window[] {
  const down = new Map<string, Window[]>();
  for (const incident of incidents) {
    if (!incident.kind.startsWith('worker ')) continue;
    down.set(incident.detail, [...(down.get(incident.detail) ?? []), incident]);
  }
  return down.size < workers ? [] : commonWindows([...down.values()]);
}

function doublePolls({ callSid, polls }: CallEvidence, { settings, incidents }: Evidence): Violation[] {
  const excused = doubleFollowing(incidents);
  const ordered = polls.toSorted((a, b) => a.at - b.at);
  return ordered.flatMap((poll, index) => {
    const next = ordered[index + 1];
    if (next === undefined || !isShowing(poll) || covers(excused, next.at)) return [];
    const apart = next.at - poll.at;
    if (apart >= settings.intervalMinMs / 2) return [];
    return [{ kind: 'double poll', callSid, detail: `polled twice within ${apart} ms at ${iso(poll.at)}` }];
  });
}

/** A connection is left when a request over it has timed out. */
function blind({ callSid, polls }: CallEvidence, { settings, incidents }: Evidence): Violation[] {
  const frozen = incidents
    .filter(({ kind }) => kind === 'worker paused')
    .map((one) => widened(one, 0, settings.pollTimeoutMs + LEAVING_MS));
  return polls
    .filter(({ at }) => !covers(frozen, at))
    .filter(({ silentMs = 0 }) => silentMs > settings.pollTimeoutMs + LEAVING_MS)
    .map(({ at, silentMs = 0 }) => ({
      kind: 'blind',
      callSid,
      detail: `asked at ${iso(at)} over a connection that had been silent for ${Math.round(silentMs)} ms`,
    }));
}

/** After its end a call may be asked for once more by each follower that it had, and that soon. */
function latePolls({ callSid, archived, polls, changes }: CallEvidence, evidence: Evidence): Violation[] {
  if (archived === null || archived.settledAt === null) return [];
  const end = stagesOf(changes).at(-1)?.status;
  const settledAt = Date.parse(archived.settledAt);
  const late = polls.filter(({ at }) => at > settledAt + SKEW_MS);
  const limit = lateLimit(settledAt, evidence);
  const tooLate = late.filter(({ at }) => at > limit);
  // Who is shown something else cannot know of the end.
  const told = late.filter(({ shown }) => shown?.status.toLowerCase() === end);
  const found = tooLate.map(({ at }) => `polled at ${iso(at)}, settled at ${archived.settledAt}`);
  if (told.length > evidence.workerProcesses) found.push(`polled ${told.length} times after its end`);
  return found.map((detail) => ({ kind: 'poll after the end', callSid, detail }));
}

function lateLimit(settledAt: number, { incidents, settings }: Evidence): number {
  const deaf = incidents
    .filter(({ kind }) => DEAFENING.has(kind))
    .map((one) => (one.detail.startsWith('429') ? widened(one, 0, GROWING_BACK_MS) : one))
    .toSorted((a, b) => a.from - b.from);
  const grace = settings.pollTimeoutMs + LATE_MS;
  return deaf.reduce(
    (limit, { from, until }) => (from <= limit && until + grace > limit ? until + grace : limit),
    settledAt + grace,
  );
}

export function countLatePolls({ archived, polls }: CallEvidence): number {
  if (archived === null || archived.settledAt === null) return 0;
  const settledAt = Date.parse(archived.settledAt);
  return polls.filter(({ at }) => at > settledAt + SKEW_MS).length;
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
