import { execFile } from 'node:child_process';
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { npmEnvironment } from './packed.ts';

const FOLDER = fileURLToPath(new URL('../tracing', import.meta.url));
const TRACING = 'node_modules/@opentelemetry/auto-instrumentations-node';
const Lock = Type.Object({
  packages: Type.Record(Type.String(), Type.Object({ version: Type.Optional(Type.String()) })),
});
const run = promisify(execFile);

/** OpenTelemetry beside what is installed in the folder. It is 120 MB: its packages stay where they are, and are linked. */
export async function installTracing(folder: string): Promise<void> {
  if (!(await isInstalled())) {
    await run('npm', ['ci', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: FOLDER,
      env: npmEnvironment(),
    });
  }
  const link = join(folder, TRACING);
  await mkdir(dirname(link), { recursive: true });
  await symlink(join(FOLDER, TRACING), link);
}

/** Whether all that the lock file names is there, in these versions: npm writes a lock of its own of what it installs. */
async function isInstalled(): Promise<boolean> {
  const [wanted, there] = await Promise.all(
    ['package-lock.json', 'node_modules/.package-lock.json'].map(async (path) => {
      const text = await readFile(join(FOLDER, path), 'utf8').catch(() => '{"packages":{}}');
      return Value.Parse(Lock, JSON.parse(text)).packages;
    }),
  );
  return Object.entries(wanted ?? {}).every(
    ([path, { version }]) => path === '' || there?.[path]?.version === version,
  );
}
