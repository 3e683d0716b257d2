import { Pool } from 'undici';
import { callsToFollow, HEADERS, statusPath, told } from './told.ts';

/**
 * The limit: nothing is stored, nothing is timed, each asks for the next call as soon as it is answered. With
 * `PER_SECOND` so many requests are begun in a second, in steps of 10 ms as polykeep's sleeps are.
 */
const STEP_MS = 10;
const { upstreamUrl, size, connections } = told();
const perSecond = Number(process.env.PER_SECOND ?? 0);
const pool = new Pool(upstreamUrl, {
  connections,
  pipelining: Math.ceil(size / connections),
  // The server says whether it takes HTTP/2, and is asked where more than one request goes over a connection.
  allowH2: size > connections,
});
const callSids = await callsToFollow();
let next = 0;

async function ask(): Promise<void> {
  const callSid = callSids[next++ % callSids.length] ?? '';
  const { body } = await pool.request({ method: 'GET', path: statusPath(callSid), headers: HEADERS });
  await body.json();
}

async function askOn(): Promise<void> {
  for (;;) await ask();
}

function askInSteps(): void {
  const from = performance.now();
  setInterval(() => {
    const due = ((performance.now() - from) / 1_000) * perSecond;
    while (next < due) void ask();
  }, STEP_MS);
}

if (perSecond > 0) askInSteps();
else await Promise.all(Array.from({ length: size }, askOn));
