import { request } from 'undici';
import type { Simulator } from '../../src/simulator/simulator.ts';
import { pause } from './deadline.ts';
import type { PlannedRegistration } from './registrations.ts';
import type { Supervised } from './supervised.ts';

const ANSWER_WITHIN_MS = 15_000;
const AGAIN_AFTER_MS = 300;
/** Of the calls' metadata; statistics are kept by it. */
export const STATS_KEY = 'kind';

/** Places the calls and registers them, again and again until polykeep has said that it keeps them. */
export async function placeAndRegister(
  { calls }: PlannedRegistration,
  { simulator, api, oddAnswers }: { simulator: Simulator; api: Supervised; oddAnswers: string[] },
  signal: AbortSignal,
): Promise<void> {
  for (const call of calls) simulator.place(call);
  const bodies = calls.map(({ callSid }) => ({ callSid, metadata: { [STATS_KEY]: callSid.slice(-1) } }));
  const [path, body] = calls.length === 1 ? ['/v1/calls', bodies[0]] : ['/v1/calls/batch', { calls: bodies }];
  while (!signal.aborted) {
    const status = await post(api, path, body, signal);
    if (status === 200 || status === 201) return;
    if (status !== null && status !== 503) oddAnswers.push(`${path}: ${status}`);
    await pause(AGAIN_AFTER_MS, signal);
  }
}

/** null where there was no answer. */
async function post(
  api: Supervised,
  path: string,
  body: unknown,
  signal: AbortSignal,
): Promise<number | null> {
  try {
    const response = await request(`${await api.url()}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
    });
    await response.body.dump();
    return response.statusCode;
  } catch {
    return null;
  }
}
