import type { FollowedCall, Report, Sighting } from './call.ts';
import { advance, close } from './lifecycle.ts';

/** All that a batch of reports changes of one call. */
export interface FoldedCall {
  callSid: string;
  /** Before the batch. */
  wasSettled: boolean;
  after: FollowedCall;
  /** New transitions, in order. */
  transitions: Sighting[];
  /** Replaces reason and body of the last transition from before the batch; null where nothing does. */
  amendment: Sighting | null;
  polls: number;
  failedPolls: number;
  lastError: string | null | undefined;
  lastBody: string | undefined;
  followForMs: number | undefined;
  /** The batch tells of the call itself, and not only for how long it is followed. */
  isToldOf: boolean;
}

/**
 * Applies reports, in their order, to the calls as they are under the row lock. Several followers may report of one
 * call, as after a stall: each report meets the state that the one before left. Reports of calls that are not `locked`
 * are left out.
 */
export function foldReports(locked: readonly FollowedCall[], reports: readonly Report[]): FoldedCall[] {
  const folded = new Map(locked.map((call) => [call.callSid, untouched(call)]));
  for (const report of reports) {
    const call = folded.get(report.callSid);
    if (call !== undefined) apply(call, report);
  }
  return [...folded.values()];
}

function untouched(call: FollowedCall): FoldedCall {
  return {
    callSid: call.callSid,
    wasSettled: call.state.outcome !== null,
    after: { ...call },
    transitions: [],
    amendment: null,
    polls: 0,
    failedPolls: 0,
    lastError: undefined,
    lastBody: undefined,
    followForMs: undefined,
    isToldOf: false,
  };
}

function apply(call: FoldedCall, report: Report): void {
  call.isToldOf ||= tellsOfCall(report);
  call.polls += report.polls ?? 0;
  call.failedPolls += report.failedPolls ?? 0;
  // A late report of another follower must not change what the row of a settled call says of its end.
  if (call.after.state.outcome === null) {
    if (report.lastError !== undefined) call.lastError = report.lastError;
    if (report.followForMs !== undefined) call.followForMs = report.followForMs;
    if (report.lastSeenAt !== undefined) applySeen(call, report.lastSeenAt, report.lastBody);
  }
  if (report.sighting !== undefined) applySighting(call, report.sighting);
  if (report.conclusion !== undefined) {
    const { outcome, at } = report.conclusion;
    call.after.state = close(call.after.state, outcome, at) ?? call.after.state;
  }
}

/** Whether there is more in it than for how long the call is followed. */
export function tellsOfCall(report: Report): boolean {
  const { polls = 0, failedPolls = 0, lastError, lastSeenAt, sighting, conclusion } = report;
  const isCounted = polls + failedPolls > 0;
  return isCounted || [lastError, lastSeenAt, sighting, conclusion].some((part) => part !== undefined);
}

function applySighting(call: FoldedCall, sighting: Sighting): void {
  const before = call.after.state;
  const advanced = advance(before, sighting);
  if (advanced.kind === 'stale' || advanced.kind === 'settled') return;
  call.after.state = advanced.state;
  // A new status brings its body, even where another worker's clock is ahead. An unchanged one has to be the newest.
  const isNewest = before.lastSeenAt === null || before.lastSeenAt <= sighting.seenAt;
  if (advanced.kind !== 'unchanged' || isNewest) call.lastBody = sighting.body;
  if (advanced.kind === 'transition') call.transitions.push(sighting);
  if (advanced.kind !== 'amendment') return;
  const last = call.transitions.pop();
  if (last === undefined) call.amendment = sighting;
  else call.transitions.push(amended(last, sighting));
}

function amended(transition: Sighting, by: Sighting): Sighting {
  const { reason, payload, body } = by;
  return { ...transition, reason, payload, body, lastUpdated: transition.lastUpdated ?? by.lastUpdated };
}

function applySeen(call: FoldedCall, at: Date, body: string | undefined): void {
  const { state } = call.after;
  if (state.lastSeenAt !== null && state.lastSeenAt >= at) return;
  call.after.state = { ...state, lastSeenAt: at };
  if (body !== undefined) call.lastBody = body;
}
