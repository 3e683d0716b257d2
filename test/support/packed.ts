import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, cp, lstat, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Type } from 'typebox';
import { Value } from 'typebox/value';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NOT_COPIED = new Set(['.git', 'node_modules', 'dist', 'data', 'coverage']);
const Lock = Type.Object({
  packages: Type.Record(Type.String(), Type.Object({ dev: Type.Optional(Type.Boolean()) })),
});
const Manifest = Type.Object({
  dependencies: Type.Record(Type.String(), Type.String()),
  overrides: Type.Record(Type.String(), Type.String()),
});

/** What npm does is that of a person at a shell, not of the `npm test` that this runs in. */
export function npmEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name) && name !== 'NODE_ENV');
  return Object.fromEntries(own);
}

/** Builds and packs the project in a copy, as `npm pack` does it in the project. Gives the path of the tarball. */
export async function pack(folder: string): Promise<string> {
  const source = join(folder, 'source');
  await cp(ROOT, source, {
    recursive: true,
    filter: (path) =>
      !relative(ROOT, path)
        .split('/')
        .some((name) => NOT_COPIED.has(name)),
  });
  await symlink(join(ROOT, 'node_modules'), join(source, 'node_modules'));
  const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', folder], {
    cwd: source,
    env: npmEnvironment(),
  });
  return join(folder, stdout.trim());
}

/**
 * Installs the tarball by npm in an empty folder, without a registry: the packages that it needs are there already, as
 * copies of those that `npm ci` has installed for production, and npm finds that they will do. No script is run.
 */
export async function installPacked(tarball: string, folder: string): Promise<void> {
  const modules = join(folder, 'node_modules');
  await mkdir(modules, { recursive: true });
  const { packages } = Value.Parse(Lock, JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')));
  for (const [path, { dev = false }] of Object.entries(packages)) {
    const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path)?.[1];
    if (name === undefined || dev || !(await isThere(join(ROOT, path)))) continue;
    await cp(join(ROOT, path), join(modules, name), {
      recursive: true,
      mode: constants.COPYFILE_FICLONE,
      // npm packages hold no links: those that are here were made by the script of the embedded Postgres.
      filter: async (file) => !(await lstat(file)).isSymbolicLink(),
    });
  }
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({ private: true, type: 'module', overrides: await overrides() }),
  );
  await run('npm', ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', tarball], {
    cwd: folder,
    env: npmEnvironment(),
  });
}

/** The versions that stand in for others here: whoever installs polykeep has the others. */
async function overrides(): Promise<Record<string, string>> {
  const manifest = Value.Parse(Manifest, JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')));
  return Object.fromEntries(
    Object.entries(manifest.overrides).map(([name, version]) => [
      name,
      version.startsWith('$') ? (manifest.dependencies[version.slice(1)] ?? '') : version,
    ]),
  );
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
