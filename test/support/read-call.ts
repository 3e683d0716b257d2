import type { Pool } from 'pg';
import type { CallJson } from '../../src/api/schemas.ts';
import type { CallPage } from '../../src/archive/read/known-pages.ts';
import { createReader } from '../../src/archive/read/reader.ts';
import type { Call } from '../../src/call/call.ts';

/** A call as the archive has it, or null where it was never registered. */
export async function readCall(pool: Pool, callSid: string): Promise<Call | null> {
  const found = await createReader(pool).readCall(callSid);
  return found === null ? null : callOf(JSON.parse(found.json));
}

/** Those of a page. */
export function callsOf({ json }: Pick<CallPage, 'json'>): Call[] {
  const calls: CallJson[] = JSON.parse(`[${json}]`);
  return calls.map(callOf);
}

/** What the API answers, with times that can be reckoned with. */
function callOf(json: CallJson): Call {
  const time = (written: string | null) => (written === null ? null : new Date(written));
  return {
    ...json,
    registeredAt: new Date(json.registeredAt),
    createdAt: time(json.createdAt),
    lastUpdated: time(json.lastUpdated),
    firstSeenAt: time(json.firstSeenAt),
    lastSeenAt: time(json.lastSeenAt),
    settledAt: time(json.settledAt),
    transitions: json.transitions.map((transition) => ({
      ...transition,
      changedAfter: time(transition.changedAfter),
      observedAt: new Date(transition.observedAt),
      lastUpdated: time(transition.lastUpdated),
    })),
  };
}
