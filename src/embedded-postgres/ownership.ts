import { randomUUID } from 'node:crypto';
import { link, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { closeClient, openClient } from '../archive/postgres-client.ts';
import { type SessionLimits, USUAL_LIMITS } from '../archive/session.ts';
import { sqlState } from '../archive/sql-states.ts';
import { codeOf } from '../words.ts';

/**
 * Who owns an embedded server is said by an advisory lock in it, held by a connection of the owning polykeep for its
 * whole life. A pid file could not say it: pids are used again, and a killed process cleans up nothing.
 */
const OWNER_LOCK = 7_066_521_392;
/** An owner takes the lock within moments of the start; a server without one for so long has none. */
const ORPHANED_AFTER_MS = 1_000;
/** Postgres fills its pid file as soon as it has made it: one that stays empty was left by a power loss. */
const LEFT_EMPTY_AFTER_MS = 10_000;
/** The connection is silent for as long as the server is owned. */
const LIMITS: SessionLimits = { ...USUAL_LIMITS, silenceMs: null };
const STARTING_PATIENCE_MS = 30_000;
const RETRY_MS = 100;

/** What Postgres says of itself in `postmaster.pid`. The port is 0 where it has not got so far. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
}

export interface Ownership {
  readonly postmaster: Postmaster;
  /** Holds the lock until the server is gone: else another could take it for an orphan, and replace it, before. */
  endWith(stopServer: (postmaster: Postmaster) => Promise<void>): Promise<void>;
}

type ServerState =
  | { kind: 'stopped' }
  | { kind: 'owned'; postmaster: Postmaster }
  | { kind: 'orphaned'; ownership: Ownership };

type UrlOf = (port: number) => string;
type Log = (message: string) => void;
/** Called once the server has ended without us; null: it is waited for. */
export type OnGone = (() => void) | null;

/** Whether a server runs on the data folder, and whether it is somebody's. An orphan is claimed in the same breath. */
export async function stateOf(pgData: string, urlOf: UrlOf, log: Log): Promise<ServerState> {
  const postmaster = await postmasterOf(pgData);
  if (postmaster === null) {
    await removeEmptyPidFile(pgData);
    return { kind: 'stopped' };
  }
  const client = postmaster.port > 0 ? await connect(urlOf(postmaster.port)).catch(() => null) : null;
  if (client === null) {
    await removeForeignPid(pgData, postmaster.pid);
    return { kind: 'stopped' };
  }
  try {
    if (await isOwned(client)) return { kind: 'owned', postmaster };
    await sleep(ORPHANED_AFTER_MS);
    if (await isOwned(client)) return { kind: 'owned', postmaster };
    const ownership = await claim(postmaster, urlOf, { log, onGone: null });
    return ownership === null ? { kind: 'owned', postmaster } : { kind: 'orphaned', ownership };
  } catch {
    // It went away while we looked: another polykeep has found the orphan too.
    return { kind: 'stopped' };
  } finally {
    await closeClient(client);
  }
}

/** Null where no server runs, or one that was run by hand in single-user mode (a negative pid). */
export async function postmasterOf(pgData: string): Promise<Postmaster | null> {
  const lines = (await readFile(join(pgData, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  return pid > 0 ? { pid, port: Math.max(0, port) || 0 } : null;
}

/** Becomes the owner of a running server; null where another is. Throws where it cannot be asked. */
export async function claim(
  postmaster: Postmaster,
  urlOf: UrlOf,
  { log, onGone }: { log: Log; onGone: OnGone },
): Promise<Ownership | null> {
  let ending = false;
  let client = await locked(urlOf(postmaster.port));
  if (client === null) return null;
  // The connection may break while the server lives, as when a backend crashes: then the lock is taken again.
  const hold = (held: Client) => {
    held.once('end', async () => {
      if (ending) return;
      log('the connection that holds the embedded Postgres broke: taking it again');
      for (;;) {
        const next = await locked(urlOf(postmaster.port)).catch(() => null);
        if (ending) return closeClient(next);
        if (next !== null) {
          client = next;
          return hold(next);
        }
        if (onGone !== null && !(await isRunning(postmaster.pid))) {
          if (!ending) onGone();
          return;
        }
        await sleep(RETRY_MS);
      }
    });
  };
  hold(client);
  return {
    postmaster,
    async endWith(stopServer) {
      ending = true;
      await stopServer(postmaster).finally(() => closeClient(client));
    },
  };
}

async function isRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Of another user's process we are told EPERM.
    if (codeOf(error) !== 'EPERM') return false;
  }
  // Under a container's first process that waits for nobody, one that has ended is still there.
  return !/\) Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''));
}

async function locked(url: string): Promise<Client | null> {
  const client = await connect(url);
  try {
    const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [
      OWNER_LOCK,
    ]);
    if (rows[0]?.locked === true) return client;
  } catch (error) {
    await closeClient(client);
    throw error;
  }
  await closeClient(client);
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

/** Throws where nobody listens or lets us in. A server that starts or stops (57P03) is waited for. */
async function connect(url: string): Promise<Client> {
  const deadline = performance.now() + STARTING_PATIENCE_MS;
  for (;;) {
    try {
      return await openClient(url, 'polykeep owner', LIMITS);
    } catch (error) {
      const starting = sqlState(error) === '57P03';
      if (!starting || performance.now() > deadline) throw error;
      await sleep(RETRY_MS);
    }
  }
}

/** Postgres refuses to start while any process of its user has the pid of the file, as one may after a power loss. */
async function removeForeignPid(pgData: string, pid: number): Promise<void> {
  if (await isForeign(pgData, pid)) await removePidFile(pgData, pid);
}

/** Postgres refuses to start on a file without a pid too, as a power loss may leave one. */
async function removeEmptyPidFile(pgData: string): Promise<void> {
  const found = await stat(join(pgData, 'postmaster.pid')).catch(() => null);
  if (found?.size !== 0 || Date.now() - found.mtimeMs < LEFT_EMPTY_AFTER_MS) return;
  await removePidFile(pgData, 0);
}

/**
 * The file is moved before it is judged again: by now another polykeep may have started, and the file be that of its
 * server. An empty file has pid 0.
 */
async function removePidFile(pgData: string, pid: number): Promise<void> {
  const pidFile = join(pgData, 'postmaster.pid');
  const taken = `${pidFile}.${randomUUID()}`;
  try {
    await rename(pidFile, taken);
  } catch {
    return;
  }
  const found = Number((await readFile(taken, 'utf8')).split('\n')[0]);
  if (found !== pid) await link(taken, pidFile).catch(() => {});
  await rm(taken);
}

/** True only where the process lives and is known not to be the server of this folder. */
async function isForeign(pgData: string, pid: number): Promise<boolean> {
  // Where there is no /proc, or no such process, Postgres judges by itself.
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => null);
  if (command === null) return false;
  const [program = '', ...args] = command.split('\0');
  // The processes that a server starts are titled `postgres: …`; one that ended but was not waited for has no title.
  if (basename(program) !== 'postgres') return true;
  const folder = args[args.indexOf('-D') + 1];
  if (!args.includes('-D') || folder === undefined) return false;
  const [itsFolder, ours] = await Promise.all(
    [folder, pgData].map((path) => realpath(path).catch(() => null)),
  );
  return itsFolder !== null && itsFolder !== ours;
}
