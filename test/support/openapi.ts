import { openDatabase } from '../../src/archive/database.ts';
import { silentLog } from './log.ts';
import { serverOn } from './server.ts';

/** What is served as `/openapi.json`. No database is asked for it. */
export async function openapiText(): Promise<string> {
  const url = 'postgres://localhost:1/none';
  const database = openDatabase(url, silentLog);
  const app = serverOn(database, url);
  try {
    return (await app.inject('/openapi.json')).body;
  } finally {
    await app.close();
    await database.close();
  }
}
