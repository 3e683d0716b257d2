import { Pool } from 'undici';
import { callsToFollow, HEADERS, statusPath, told } from './told.ts';

/** The limit: nothing is stored, nothing is timed, each connection asks for the next call as soon as it is answered. */
const { upstreamUrl, size } = told();
const pool = new Pool(upstreamUrl, { connections: size });
const callSids = await callsToFollow();
let next = 0;

async function ask(): Promise<void> {
  for (;;) {
    const callSid = callSids[next++ % callSids.length] ?? '';
    const { body } = await pool.request({ method: 'GET', path: statusPath(callSid), headers: HEADERS });
    await body.json();
  }
}

await Promise.all(Array.from({ length: size }, ask));
