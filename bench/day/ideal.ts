import TinyQueue from 'tinyqueue';
import { nextPollDelay } from '../../src/call/pace.ts';
import type { Placed } from './programme.ts';

/** What is in force from a time on. */
export interface InForce {
  from: number;
  limitPerSecond: number | null;
  failing: number;
}

export interface Seen {
  callSid: string;
  status: 'calling' | 'success';
  at: number;
}

interface Due {
  call: Placed;
  at: number;
  /** As it was last seen. */
  status: 'none' | 'queued' | 'calling';
  since: number;
}

/** The defaults. */
const PACE = { intervalMinMs: 2_000, intervalMaxMs: 5_000, backoffMaxMs: 60_000 };

/**
 * What a poller would see that is never late: it asks at polykeep's pace, a first time at once, knows the limit and keeps
 * to it to the poll, the one that has been due longest first. A poll that fails shows nothing, and is not repeated before
 * its time. An answer is as late as the latency.
 */
export function idealSightings(
  calls: readonly Placed[],
  inForce: readonly InForce[],
  { latencyMs, until }: { latencyMs: number; until: number },
): Seen[] {
  const queue = new TinyQueue<Due>(
    calls.map((call) => ({ call, at: call.placedAt, status: 'none', since: call.placedAt })),
    (one, other) => one.at - other.at,
  );
  const seen: Seen[] = [];
  let slotAt = 0;
  for (let due = queue.pop(); due !== undefined; due = queue.pop()) {
    const { limitPerSecond } = at(inForce, Math.max(due.at, slotAt));
    const now = limitPerSecond === null ? due.at : Math.max(due.at, slotAt);
    if (now > until) break;
    if (limitPerSecond !== null) slotAt = now + 1_000 / limitPerSecond;
    if (Math.random() >= at(inForce, now).failing) look(due, now, now + latencyMs, seen);
    if (seen.at(-1)?.callSid === due.call.callSid && seen.at(-1)?.status === 'success') continue;
    due.at = now + nextPollDelay(now - due.since, PACE, Math.random);
    queue.push(due);
  }
  return seen;
}

function look(due: Due, now: number, answeredAt: number, seen: Seen[]): void {
  const { callSid, callingAt, endsAt } = due.call;
  const status = now < callingAt ? 'queued' : now < endsAt ? 'calling' : 'success';
  if (status === due.status) return;
  if (status !== 'queued') seen.push({ callSid, status, at: answeredAt });
  if (status !== 'success') due.status = status;
  due.since = now;
}

function at(inForce: readonly InForce[], time: number): Omit<InForce, 'from'> {
  return inForce.findLast(({ from }) => from <= time) ?? { limitPerSecond: null, failing: 0 };
}
