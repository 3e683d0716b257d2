import type { CallJson } from '../../src/api/schemas.ts';
import { isConclusion } from './check-conclusions.ts';
import type { Doubt } from './doubts.ts';
import type { CallEvidence } from './evidence.ts';
import { reasonOf, type Showing, type Stage, showingsOf, stageOf, stagesOf } from './history.ts';
import type { Violation, ViolationKind } from './violation.ts';

type Found = Omit<Violation, 'callSid'>;
type StoredTransition = CallJson['transitions'][number];

/** Between the clocks of two processes of one machine, as they are read. */
const SKEW_MS = 100;
const SUCCESS = new Set(['success', 'completed']);

/** Holds what is archived of one call against its life and against what was shown of it. */
export function checkArchive(call: CallEvidence, doubt: Doubt): { violations: Violation[]; inDoubt: number } {
  if (call.archived === null) {
    const detail = 'not in the archive';
    return { violations: [{ kind: 'lost', callSid: call.callSid, detail }], inDoubt: 0 };
  }
  const stages = stagesOf(call.changes);
  const showings = showingsOf(call);
  const stored = call.archived.transitions;
  const unstored = unstoredStages(call, stages, showings, doubt);
  const found = [
    ...lost(call, call.archived),
    ...unstored.missing.map((stage) => violation('missing', `${stage} was shown, and is not stored`)),
    ...disorder(stages, stored),
    ...stored.flatMap((transition) => invented(transition, stages, showings)),
  ];
  return {
    violations: found.map((one) => ({ ...one, callSid: call.callSid })),
    inDoubt: unstored.inDoubt,
  };
}

function lost({ changes, style, forgottenAt }: CallEvidence, archived: CallJson): Found[] {
  const end = changes.at(-1);
  // A conclusion that is drawn too early is found as such.
  if (end === undefined || isConclusion(archived.outcome)) return [];
  const status = end.status.toLowerCase();
  const outcome = SUCCESS.has(status) ? 'success' : 'failure';
  const right = [status, style === 'mid-2026' ? end.reason : '', outcome].join(', ');
  const told = [archived.status, reasonOf(archived.reason), archived.outcome].join(', ');
  if (archived.settledAt === null) return [violation('lost', `not settled: ${told}`)];
  if (forgottenAt !== null) return [violation('lost', `${told} instead of lost, since PolyAI forgot it`)];
  return told === right ? [] : [violation('lost', `${told} instead of ${right}`)];
}

/** A status counts as shown where no later one had been: what a lagging replica still shows then is rightly dropped. */
function unstoredStages(
  { archived, forgottenAt }: CallEvidence,
  stages: readonly Stage[],
  showings: readonly Showing[],
  doubt: Doubt,
): { missing: string[]; inDoubt: number } {
  const missing: string[] = [];
  let inDoubt = 0;
  for (const [index, { status }] of stages.entries()) {
    if (archived?.transitions.some((transition) => transition.status === status)) continue;
    const timely = showings.filter(
      (showing) =>
        stageOf(stages, showing) === index &&
        !showings.some((other) => stageOf(stages, other) > index && other.at <= showing.finishedAt),
    );
    if (timely.length === 0) continue;
    // An end is shown again and again; what PolyAI forgets is not.
    const isEnd = index === stages.length - 1 && forgottenAt === null;
    if (!isEnd && timely.every(doubt)) inDoubt++;
    else missing.push(status);
  }
  return { missing, inDoubt };
}

/** Stored once each, in the order of the real changes, and numbered without a gap. */
function disorder(stages: readonly Stage[], stored: readonly StoredTransition[]): Found[] {
  const found: Found[] = [];
  const seen = new Set<string>();
  let reached = -1;
  for (const [index, { seq, status }] of stored.entries()) {
    if (seq !== index + 1) found.push(violation('disorder', `seq ${seq} in place ${index + 1}`));
    const stage = stages.findIndex((one) => one.status === status);
    if (seen.has(status)) found.push(violation('duplicate', `${status} is stored again as ${seq}`));
    else if (stage !== -1 && stage < reached)
      found.push(violation('disorder', `${status} is stored too late`));
    seen.add(status);
    reached = Math.max(reached, stage);
  }
  return found;
}

function invented(
  { seq, status, reason, changedAfter, observedAt }: StoredTransition,
  stages: readonly Stage[],
  showings: readonly Showing[],
): Found[] {
  const seenAt = Date.parse(observedAt);
  const ofStatus = showings.filter(({ shown }) => shown.status.toLowerCase() === status);
  const stage = stages.find((one) => one.status === status);
  if (stage === undefined || !ofStatus.some(({ at }) => at <= seenAt + SKEW_MS)) {
    return [violation('invented', `${status} (seq ${seq}) was not shown until ${observedAt}`)];
  }
  const found: Found[] = [];
  if (!ofStatus.some(({ shown }) => reasonOf(shown.reason) === reasonOf(reason))) {
    found.push(violation('invented', `${status} was never shown with reason ${reason}`));
  }
  if (stage.at > seenAt + SKEW_MS) {
    found.push(
      violation('invented', `${status} observed at ${observedAt}, ${stage.at - seenAt} ms before it was`),
    );
  }
  const after = changedAfter === null ? -Infinity : Date.parse(changedAfter);
  if (after > stage.at + SKEW_MS && !wasMisled(after, seenAt, showings)) {
    found.push(
      violation(
        'invented',
        `${status} changed_after ${changedAfter}, ${after - stage.at} ms after it changed`,
      ),
    );
  }
  return found;
}

/** A replica that lags shows as unchanged what has changed: nobody can tell. */
function wasMisled(after: number, until: number, showings: readonly Showing[]): boolean {
  return showings.some(({ fault, at }) => fault === 'stale' && at >= after - SKEW_MS && at <= until);
}

function violation(kind: ViolationKind, detail: string): Found {
  return { kind, detail };
}
