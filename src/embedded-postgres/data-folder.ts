import { randomBytes, randomUUID } from 'node:crypto';
import {
  access,
  chown,
  link,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { PostgresLog } from './postgres-log.ts';
import type { PostgresUser, RunProgram } from './programs.ts';

/** No initdb takes so long: what is older was killed half-way. */
const ABANDONED_AFTER_MS = 60 * 60_000;

/** DATA_DIR and what is in it: the files of the server, its log, and the password that it lets us in with. */
export class DataFolder {
  readonly path: string;
  /** What Postgres calls its data directory. */
  readonly pgData: string;
  readonly passwordFile: string;
  readonly log: PostgresLog;
  readonly #portFile: string;
  /** First part of the folders that initdb works in. */
  readonly #unfinished: string;
  readonly #user: PostgresUser;
  #password = '';

  constructor(path: string, user: PostgresUser) {
    this.path = path;
    this.pgData = join(path, 'postgres');
    this.passwordFile = join(path, 'postgres-password');
    this.#portFile = join(path, 'postgres-port');
    this.log = new PostgresLog(join(path, 'postgres.log'));
    this.#unfinished = join(path, 'postgres.unfinished-');
    this.#user = user;
  }

  url(port: number, database = 'polykeep'): string {
    return `postgres://polykeep:${this.#password}@127.0.0.1:${port}/${database}`;
  }

  /** Where the server listened last; null where it never did. */
  async keptPort(): Promise<number | null> {
    const text = await readFile(this.#portFile, 'utf8').catch(() => '');
    return /^\d{1,5}\n$/.test(text) ? Number(text) : null;
  }

  /** From now on it listens there, so that what others have written down of it stays true. */
  async keepPort(port: number): Promise<void> {
    const unfinished = `${this.#portFile}.${randomUUID()}`;
    await writeFile(unfinished, `${port}\n`);
    await rename(unfinished, this.#portFile);
  }

  /** Makes what is missing. Throws `EmbeddedPostgresError`. */
  async initialise(run: RunProgram): Promise<void> {
    await this.#ownedFile(this.passwordFile, () => randomBytes(24).toString('base64url'));
    await this.#ownedFile(this.log.path, () => '');
    this.#password = (await readFile(this.passwordFile, 'utf8')).trim();
    if (await this.#isInitialised()) return;
    // Elsewhere first: what is killed half-way must not be taken for a database.
    const unfinished = await mkdtemp(this.#unfinished);
    await this.#give(unfinished);
    await run('initdb', [
      `--pgdata=${unfinished}`,
      '--username=polykeep',
      `--pwfile=${this.passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--data-checksums',
    ]);
    try {
      await rename(unfinished, this.pgData);
    } catch (error) {
      await rm(unfinished, { recursive: true });
      // Another polykeep was faster: who may have the folder is decided at the start.
      if (!(await this.#isInitialised())) throw error;
    }
  }

  /** Removes what an initdb that was killed left behind, some 40 MB. */
  async removeAbandoned(): Promise<void> {
    for (const name of await readdir(this.path)) {
      const path = join(this.path, name);
      if (!path.startsWith(this.#unfinished)) continue;
      const { mtimeMs } = await stat(path);
      if (Date.now() - mtimeMs > ABANDONED_AFTER_MS) await rm(path, { recursive: true, force: true });
    }
  }

  async #isInitialised(): Promise<boolean> {
    return exists(join(this.pgData, 'PG_VERSION'));
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

  /** Makes the file one of the user whom Postgres runs as. */
  async #give(path: string): Promise<void> {
    const { uid, gid } = this.#user;
    if (uid !== undefined && gid !== undefined) await chown(path, uid, gid);
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
