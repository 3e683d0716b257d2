import { Pool } from 'pg';
import { callsToFollow, HEADERS, statusPath, told } from './told.ts';

/** What people write first: a timer for each call, `fetch`, and a row for each poll. */
const { upstreamUrl, databaseUrl } = told();
const pool = new Pool({ connectionString: databaseUrl });
await pool.query('create table polls (call_sid text, status text, polled_at timestamptz default now())');

async function poll(callSid: string): Promise<void> {
  const response = await fetch(upstreamUrl + statusPath(callSid), { headers: HEADERS });
  const { status }: { status: string } = JSON.parse(await response.text());
  await pool.query('insert into polls (call_sid, status) values ($1, $2)', [callSid, status]);
  if (status !== 'success') setTimeout(poll, 1, callSid);
}

for (const callSid of await callsToFollow()) setTimeout(poll, 1, callSid);
