import { setTimeout as sleep } from 'node:timers/promises';
import type { Follow, HandedOn } from '../../src/follow/lease.ts';

export const untilAborted = (signal: AbortSignal) => sleep(600_000, undefined, { signal }).catch(() => {});

/** Follows until it is aborted, and has who is followed now, who was, and who was let go. */
export function holding(handOn: HandedOn) {
  const held = new Set<string>();
  const taken: string[] = [];
  const letGo: string[] = [];
  const follow: Follow = async (callSid, _handedOn, signal) => {
    held.add(callSid);
    taken.push(callSid);
    await untilAborted(signal);
    held.delete(callSid);
    letGo.push(callSid);
    return { kind: 'handBack', handOn };
  };
  return { held, taken, letGo, follow };
}
