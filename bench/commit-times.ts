import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { migrateDatabase } from '../src/archive/schema/migrations.ts';
import { startEmbeddedPostgres } from '../src/embedded-postgres/embedded-postgres.ts';
import { silentLog } from '../test/support/log.ts';
import { type Bench, postmasterOf } from './bench.ts';
import { query } from './query.ts';

/** A Postgres that keeps when each transaction was committed. */
export interface TimedPostgres extends AsyncDisposable {
  pid: number;
  /** An archive of its own in it. */
  database(): Promise<string>;
}

/** A transition that is in the archive. Times in milliseconds since the epoch, by Postgres' clock and by polykeep's. */
export interface Commit {
  callSid: string;
  status: string;
  committedAt: number;
  observedAt: number;
  registeredAt: number;
}

const COMMITTED = `
select c.call_sid as "callSid", s.name as status,
       extract(epoch from pg_xact_commit_timestamp(t.xid::xid))::float8 * 1000 as "committedAt",
       extract(epoch from t.observed_at)::float8 * 1000 as "observedAt",
       extract(epoch from c.registered_at)::float8 * 1000 as "registeredAt"
  from polykeep_internal.transitions t
  join polykeep_internal.calls c on c.id = t.call_id
  join polykeep_internal.statuses s on s.id = t.status`;

/** A server of its own: commit times are kept from its start on, or not at all. */
export async function postgresWithCommitTimes({ folder }: Bench): Promise<TimedPostgres> {
  const dataDir = join(folder, `postgres-${randomUUID()}`);
  await mkdir(dataDir);
  const options = { dataDir, log: () => {} };
  const first = await startEmbeddedPostgres(options);
  await query(first.url, 'alter system set track_commit_timestamp = on');
  await first.stop();
  const server = await startEmbeddedPostgres(options);
  let databases = 0;
  return {
    pid: await postmasterOf(dataDir),
    async database() {
      const name = `timed_${++databases}`;
      await query(server.url, `create database ${name}`);
      const url = Object.assign(new URL(server.url), { pathname: name }).href;
      await migrateDatabase(url, silentLog);
      return url;
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

export function commitsIn(databaseUrl: string): Promise<Commit[]> {
  return query<Commit>(databaseUrl, COMMITTED);
}
