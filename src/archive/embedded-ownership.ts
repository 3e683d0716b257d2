import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';

/**
 * Who owns an embedded server is said by an advisory lock in it, held by a connection of the owning polykeep for its
 * whole life. A pid file could not say it: pids are used again, and a killed process cleans up nothing.
 */
const OWNER_LOCK = 7_066_521_392;
/** An owner takes the lock within moments of the start; a server without one for so long has none. */
const ORPHANED_AFTER_MS = 1_000;
const STARTING_PATIENCE_MS = 30_000;
const RETRY_MS = 100;

export interface Ownership {
  readonly port: number;
  /** Lets go of the server, before it is stopped. */
  release(): Promise<void>;
}

export type ServerState =
  | { kind: 'stopped' }
  | { kind: 'owned' }
  | { kind: 'orphaned'; ownership: Ownership };

type UrlOf = (port: number) => string;

/** Whether a server runs on the data folder, and whether it is somebody's. An orphan is claimed in the same breath. */
export async function stateOf(pgData: string, urlOf: UrlOf): Promise<ServerState> {
  const pidFile = join(pgData, 'postmaster.pid');
  const lines = (await readFile(pidFile, 'utf8').catch(() => '')).split('\n');
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  if (!(pid > 0)) return { kind: 'stopped' };
  const client = port > 0 ? await connect(urlOf(port)) : null;
  if (client === null) {
    // Postgres refuses to start while a process of its user has the pid of the file, whatever process that is.
    if (!(await isPostgres(pid))) await rm(pidFile, { force: true });
    return { kind: 'stopped' };
  }
  try {
    if (await isOwned(client)) return { kind: 'owned' };
    await sleep(ORPHANED_AFTER_MS);
    if (await isOwned(client)) return { kind: 'owned' };
  } finally {
    await client.end().catch(() => {});
  }
  const ownership = await claim(port, urlOf);
  return ownership === null ? { kind: 'owned' } : { kind: 'orphaned', ownership };
}

/** Becomes the owner of a running server; null where another is. */
export async function claim(port: number, urlOf: UrlOf): Promise<Ownership | null> {
  let released = false;
  let client = await locked(urlOf(port));
  if (client === null) return null;
  // The connection may break while the server lives, as when a backend crashes: then the lock is taken again.
  const hold = (held: Client) => {
    held.once('end', async () => {
      for (let next: Client | null = null; !released && next === null; await sleep(RETRY_MS)) {
        next = await locked(urlOf(port)).catch(() => null);
        if (next === null) continue;
        client = next;
        hold(next);
      }
    });
  };
  hold(client);
  return {
    port,
    async release() {
      released = true;
      await client?.end().catch(() => {});
    },
  };
}

async function locked(url: string): Promise<Client | null> {
  const client = await connect(url);
  if (client === null) return null;
  const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [
    OWNER_LOCK,
  ]);
  if (rows[0]?.locked === true) return client;
  await client.end();
  return null;
}

async function isOwned(client: Client): Promise<boolean> {
  const { rowCount } = await client.query(
    `select from pg_locks
      where locktype = 'advisory' and classid = ($1::bigint >> 32)::int and objid = ($1::bigint & 4294967295)`,
    [OWNER_LOCK],
  );
  return (rowCount ?? 0) > 0;
}

/** A connection, or null where nobody listens. A server that starts or stops (57P03) is waited for. */
async function connect(url: string): Promise<Client | null> {
  const deadline = performance.now() + STARTING_PATIENCE_MS;
  for (;;) {
    const client = new Client({ connectionString: url, application_name: 'polykeep owner' });
    client.on('error', () => {});
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.end().catch(() => {});
      const starting = error instanceof Error && 'code' in error && error.code === '57P03';
      if (!starting || performance.now() > deadline) return null;
      await sleep(RETRY_MS);
    }
  }
}

/** False only where the process is known to be none. */
async function isPostgres(pid: number): Promise<boolean> {
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => null);
  if (command !== null) return command.includes('postgres');
  // No such process on Linux; elsewhere there is no /proc, and Postgres is left to judge by itself.
  return process.platform !== 'linux';
}
