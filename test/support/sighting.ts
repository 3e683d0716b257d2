import type { Sighting } from '../../src/call/call.ts';

/** A status that PolyAI shows now. */
export function sightingNow(status: string, reason: string | null = null): Sighting {
  const now = new Date();
  return {
    status,
    reason,
    createdAt: null,
    lastUpdated: null,
    payload: { status },
    body: JSON.stringify({ status }),
    changedAfter: null,
    observedAt: now,
    seenAt: now,
  };
}
