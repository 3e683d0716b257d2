import type { Evidence, ReadinessSample } from './evidence.ts';
import type { Incident, IncidentKind } from './incidents.ts';
import type { Violation } from './violation.ts';
import { covers, type Window, widened } from './windows.ts';

/** A process says within so long that it cannot work, and within so long that it can again. */
const TOLD_WITHIN_MS = 20_000;
const WELL_WITHIN_MS = 30_000;
/** Between what is done to a server and the note of it, and for a probe on its way. */
const SKEW_MS = 1_000;
/** One probe that was not answered on a busy machine is no state. */
const LASTS_MS = 3_000;
/** So many polls in 10 s are several in a row for some worker. */
const TELLING_POLLS = 20;
/** A refused token is tried again only every half minute. */
const PROBE_MS = 30_000;
/** So long after the last poll that was denied nobody says any more that calls are. */
const DENIED_WITHIN_MS = 20_000;
const DENIES = 'failing: PolyAI denies calls that it has shown';

/** Faults that stop work in every process, with the part that is down then. */
const STOPPED: ReadonlyMap<IncidentKind, 'postgres' | 'queue'> = new Map([
  ['postgres away', 'postgres'],
  ['postgres read-only', 'postgres'],
  ['table locked', 'postgres'],
  ['redis away', 'queue'],
  ['redis refusing', 'queue'],
]);
/** Of an account; the former is that of a process that has not polled yet. */
const WELL: ReadonlySet<string> = new Set(['active', 'ok']);

/** Readiness follows what is: not ok soon after a fault that stops work, ok soon after it, and at no other time. */
export function checkReadiness(evidence: Evidence): Violation[] {
  const denials = denialsOf(evidence);
  const byProcess = Map.groupBy(
    evidence.readiness.map((sample) =>
      isTrueDenial(sample, denials) ? { ...sample, state: 'ok' as const } : sample,
    ),
    ({ process }) => process,
  );
  return [
    ...[...byProcess].flatMap(([process, samples]) => [
      ...late(process, samples, evidence.incidents),
      ...stuck(process, samples, evidence.incidents),
    ]),
    ...lateOfPolyai(evidence),
  ];
}

/**
 * While PolyAI denies calls that it has shown and really has forgotten: it showed them from the past, so that they are
 * asked for still. Where no other call is left that it would show, it is true that it denies.
 */
function denialsOf({ calls }: Evidence): Window[] {
  return calls.flatMap(({ polls, forgottenAt }) =>
    polls
      .filter(({ at, httpStatus }) => httpStatus === 404 && forgottenAt !== null && at >= forgottenAt)
      .map(({ at }) => ({ from: at, until: at + DENIED_WITHIN_MS })),
  );
}

/** It says of PolyAI what is so, and of all else that it is well. */
function isTrueDenial({ state, parts, at }: ReadinessSample, denials: readonly Window[]): boolean {
  return (
    state === 'degraded' &&
    parts?.queue === 'up' &&
    Object.values(parts.accounts).every((account) => WELL.has(account) || account === DENIES) &&
    covers(denials, at)
  );
}

/** From 20 s after its begin to its end, every process says what is down, whatever else is. */
function late(process: string, samples: readonly ReadinessSample[], incidents: readonly Incident[]) {
  return incidents.flatMap((incident) => {
    const part = STOPPED.get(incident.kind);
    if (part === undefined) return [];
    const wrong = duringFault(samples, incident).find(
      ({ state, parts }) => state === 'ok' || (parts !== null && parts[part] === 'up'),
    );
    return wrong === undefined ? [] : [lateness(process, incident, wrong)];
  });
}

/** Only who polls can know of PolyAI. One worker that says it is enough; none has to where hardly a poll came through. */
function lateOfPolyai({ incidents, readiness, calls }: Evidence): Violation[] {
  const polls = calls.flatMap((call) => call.polls.map(({ at }) => at));
  const ofWorkers = readiness.filter(({ process }) => process.startsWith('worker'));
  return incidents
    .filter((incident) => incident.kind === 'gateway' && isPolled(polls, incident))
    .flatMap((incident) => {
      const before = ofWorkers.filter(
        ({ at }) => at >= incident.from && at <= incident.from + TOLD_WITHIN_MS,
      );
      const during = duringFault(ofWorkers, incident);
      const [first] = during;
      if (first === undefined || [...before, ...during].some(saysOfAnAccount)) return [];
      return [lateness('every worker', incident, first)];
    });
}

/** In both halves of the time in which it is to be told. */
function isPolled(polls: readonly number[], { from }: Window): boolean {
  const middle = from + TOLD_WITHIN_MS / 2;
  const count = (since: number) =>
    polls.filter((at) => at >= since && at < since + TOLD_WITHIN_MS / 2).length;
  return count(from) >= TELLING_POLLS && count(middle) >= TELLING_POLLS;
}

function saysOfAnAccount({ state, parts }: ReadinessSample): boolean {
  return state !== 'ok' && Object.values(parts?.accounts ?? {}).some((account) => !WELL.has(account));
}

/** Asked when it was to be told, and answered before all was well again. */
function duringFault(samples: readonly ReadinessSample[], { from, until }: Window): ReadinessSample[] {
  return samples.filter(({ at, answeredAt }) => at > from + TOLD_WITHIN_MS && answeredAt < until - SKEW_MS);
}

function lateness(process: string, { kind, detail, from }: Incident, { at }: ReadinessSample): Violation {
  const fault = `${kind} ${detail}`.trim();
  return violation(
    'readiness late',
    `${process} is ready ${seconds(at - from)} after the begin of: ${fault}`,
  );
}

function stuck(
  process: string,
  samples: readonly ReadinessSample[],
  incidents: readonly Incident[],
): Violation[] {
  const excused = incidents
    .filter((incident) => concerns(incident, process))
    .map((one) => widened(one, SKEW_MS, WELL_WITHIN_MS + (one.kind === 'token refused' ? PROBE_MS : 0)));
  const found: Violation[] = [];
  let since: ReadinessSample | null = null;
  let isTold = false;
  for (const sample of samples.toSorted((a, b) => a.at - b.at)) {
    if (sample.state === 'ok' || covers(excused, sample.at)) {
      since = null;
      isTold = false;
      continue;
    }
    since ??= sample;
    if (isTold || sample.at - since.at < LASTS_MS) continue;
    isTold = true;
    const detail = `${process} is ${sample.state} at ${new Date(sample.at).toISOString()}: ${sample.said}`;
    found.push(violation('readiness stuck', detail));
  }
  return found;
}

/** What strikes one process is no matter of the others, and an unread log is no matter at all. */
function concerns({ kind, detail }: Incident, process: string): boolean {
  if (kind === 'log unread') return false;
  return kind.startsWith('worker ') || kind === 'api killed' ? detail === process : true;
}

function violation(kind: Violation['kind'], detail: string): Violation {
  return { kind, callSid: null, detail };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
