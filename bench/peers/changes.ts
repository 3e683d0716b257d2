import { Pool } from 'pg';
import { Pool as HttpPool } from 'undici';
import { HEADERS, statusPath } from './told.ts';

/**
 * What the queues' jobs do, as cheap as it can be: poll over kept connections, and one `INSERT` where the status is not
 * the one that this process saw last. True where the call has ended.
 */
export async function createPoll(
  upstreamUrl: string,
  databaseUrl: string,
): Promise<(callSid: string) => Promise<boolean>> {
  const http = new HttpPool(upstreamUrl, { connections: 64 });
  const database = new Pool({ connectionString: databaseUrl });
  await database.query(
    'create table changes (call_sid text, status text, seen_at timestamptz default now())',
  );
  const seen = new Map<string, string>();

  return async (callSid) => {
    const { body } = await http.request({ method: 'GET', path: statusPath(callSid), headers: HEADERS });
    const { status }: { status: string } = JSON.parse(await body.text());
    if (seen.get(callSid) !== status) {
      seen.set(callSid, status);
      await database.query({
        name: 'change',
        text: 'insert into changes (call_sid, status) values ($1, $2)',
        values: [callSid, status],
      });
    }
    return status === 'success';
  };
}
