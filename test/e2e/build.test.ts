import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { buildIn } from '../support/build.ts';

/** What `npm run build` makes. That it works, the examples of README show, which readme.test.ts runs with it. */

const run = promisify(execFile);
let folder: string;
let main: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'polykeep-build-'));
  main = await buildIn(folder);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs `main.js` after some code of its own. */
function runAfter(code: string, ...args: string[]) {
  const before = `data:text/javascript,${encodeURIComponent(code)}`;
  return run(process.execPath, ['--import', before, main, ...args]);
}

it('--help imports no package: each command brings its own', async () => {
  const { stdout, stderr } = await runAfter(
    `import { registerHooks } from 'node:module';
     const imported = [];
     registerHooks({ resolve: (specifier, context, next) => (imported.push(specifier), next(specifier, context)) });
     process.on('exit', () => console.error(JSON.stringify(imported)));`,
    '--help',
  );
  expect(stdout).toMatch(/^usage: polykeep COMMAND\n/);
  const imported: string[] = JSON.parse(stderr);
  expect(imported.length).toBeGreaterThan(0);
  expect(
    imported.filter((name) => !name.startsWith('.') && !isBuiltin(name) && !name.startsWith('file:')),
  ).toEqual([]);
});

it('an older Node is told in one line, before it reads anything that it may not understand', async () => {
  const started = runAfter(
    `for (const [object, name, value] of [[process.versions, 'node', '20.20.2'], [process, 'version', 'v20.20.2']])
       Object.defineProperty(object, name, { value })`,
    '--help',
  );
  await expect(started).rejects.toMatchObject({
    code: 1,
    stdout: '',
    stderr: 'polykeep needs Node 22 or later, this is v20.20.2\n',
  });
  expect(await readFile(main, 'utf8')).not.toMatch(/^(import|export .*from)\b/m);
});

it('imports packages that are installed without those of development, and no drizzle-orm', async () => {
  const files = (await readdir(dirname(main))).filter((name) => name.endsWith('.js'));
  const texts = await Promise.all(files.map((name) => readFile(join(dirname(main), name), 'utf8')));
  const imported = texts
    .flatMap((text) => [...text.matchAll(/^(?:import|export)\b[^;]*?"([^"]+)";|\bimport\("([^"]+)"\)/gm)])
    .map(([, fixed, dynamic]) => fixed ?? dynamic ?? '')
    .filter((name) => !name.startsWith('.') && !isBuiltin(name));
  const packages = new Set(imported.map((name) => /^(@[^/]+\/)?[^/]+/.exec(name)?.[0]));
  expect(packages.size).toBeGreaterThan(15);
  expect([...packages].filter((name) => !Object.hasOwn(manifest.dependencies, `${name}`))).toEqual([]);
  expect(packages).not.toContain('drizzle-orm');
});
