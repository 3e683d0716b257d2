import type { Evidence, ToldEvent, ToldEvidence } from './evidence.ts';
import type { Violation } from './violation.ts';

/**
 * Holds what endpoints took against the archive: all of each call came, in order, and what came again came with the id
 * that it had.
 */
export function checkTold({ calls, told }: Evidence): Violation[] {
  return told.flatMap((one) => {
    const byCall = Map.groupBy(one.accepted, ({ data }) => String(data.callSid));
    return [
      ...one.wrong.map((detail) => violation(one, null, `not verified: ${detail}`)),
      ...wrongIds(one),
      ...calls.flatMap(({ callSid, archived }) =>
        archived === null ? [] : checkCall(one, callSid, archived, byCall.get(callSid) ?? []),
      ),
    ];
  });
}

function checkCall(
  one: ToldEvidence,
  callSid: string,
  { transitions, outcome, settledAt }: NonNullable<Evidence['calls'][number]['archived']>,
  events: readonly ToldEvent[],
): Violation[] {
  const found: Violation[] = [];
  for (const { seq } of transitions) {
    if (!events.some(({ type, data }) => type === 'call.transition' && data.seq === seq))
      found.push(violation(one, callSid, `transition ${seq} never came`));
  }
  const settled = events.filter(({ type }) => type === 'call.settled');
  if (
    outcome !== null &&
    !settled.some(({ data }) => data.outcome === outcome && data.settledAt === settledAt)
  )
    found.push(violation(one, callSid, `its end (${outcome}) never came`));
  const first = events.filter(({ id }, index) => events.findIndex((event) => event.id === id) === index);
  for (const [index, event] of first.entries()) {
    const before = first[index - 1];
    if (before !== undefined && compare(before, event) > 0)
      found.push(violation(one, callSid, `${nameOf(event)} came after ${nameOf(before)}`));
  }
  return found;
}

/** An id is of one event, and an event has one id. */
function wrongIds(one: ToldEvidence): Violation[] {
  const names = new Map<string, string>();
  const ids = new Map<string, string>();
  return one.accepted.flatMap((event) => {
    const name = `${event.data.callSid} ${nameOf(event)} ${event.timestamp}`;
    const [knownName = name, knownId = event.id] = [names.get(event.id), ids.get(name)];
    names.set(event.id, knownName);
    ids.set(name, knownId);
    return knownName === name && knownId === event.id
      ? []
      : [violation(one, String(event.data.callSid), `${name} and ${knownName} share or change an id`)];
  });
}

/** A transition goes before the end that it brings. */
function placeOf({ type, timestamp, data }: ToldEvent): [seq: number, kind: number, at: number] {
  if (type === 'call.transition') return [Number(data.seq), 0, 0];
  const { transitions } = data;
  return [Array.isArray(transitions) ? transitions.length : 0, 1, Date.parse(timestamp)];
}

function compare(a: ToldEvent, b: ToldEvent): number {
  const [left, right] = [placeOf(a), placeOf(b)];
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}

function nameOf({ type, data }: ToldEvent): string {
  return `${type} ${data.seq ?? data.outcome}`;
}

function violation({ receiver }: ToldEvidence, callSid: string | null, detail: string): Violation {
  return { kind: 'told wrongly', callSid, detail: `${receiver} receiver: ${detail}` };
}
