import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { environmentOf } from '../support/command-line.ts';
import { freePort } from '../support/free-port.ts';
import { installPacked, pack } from '../support/packed.ts';
import { FAST, type SidecarProcess, spawnSidecar } from '../support/sidecar.ts';

/** The tarball of `npm pack`, installed by npm in an empty folder: its commands, and the examples of docs/client.md. */

const run = promisify(execFile);
const TSC = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url));
const KEY = 'the-key-that-may-write';
const page = await readFile(new URL('../../docs/client.md', import.meta.url), 'utf8');
const [calls = '', hook = ''] = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code);

let folder: string;
let empty: string;
let simulator: ChildProcess;
let sidecar: SidecarProcess;
let url: string;

const bin = () => join(empty, 'node_modules/.bin/polykeep');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'polykeep-package-'));
  // The embedded Postgres in it is another user's where we are root.
  await chmod(folder, 0o755);
  empty = join(folder, 'empty');
  await installPacked(await pack(folder), empty);
  const started = spawn(process.execPath, [bin(), 'simulate', '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  simulator = started;
  const [line] = await once(createInterface(started.stdout), 'line');
  const settings = {
    ...FAST,
    POLYAI_BASE_URL: /http:\S+/.exec(`${line}`)?.[0] ?? '',
    DATA_DIR: join(folder, 'data'),
    API_KEYS: `program:write:${KEY}`,
  };
  sidecar = spawnSidecar(settings, 'serve', bin());
  url = await sidecar.url();
});

afterAll(async () => {
  await sidecar?.end('SIGTERM');
  simulator?.kill();
  await rm(folder, { recursive: true, force: true });
});

describe('the package', () => {
  it('holds what it needs and what is to be read, and nothing that it is made and tested with', async () => {
    const installed = join(empty, 'node_modules/polykeep');
    expect((await readdir(installed)).sort()).toEqual(
      [...manifest.files, 'LICENSE', 'README.md', 'package.json'].sort(),
    );
    expect(await readdir(join(installed, 'dist/page'))).toContain('index.html');
    expect(await readdir(join(empty, 'node_modules'))).not.toContain('vitest');
  });

  it('has its command, by npx too', async () => {
    const { stdout } = await run('npx', ['--offline', 'polykeep', '--version'], {
      cwd: empty,
      env: environmentOf({}),
    });
    expect(stdout).toBe(`${manifest.version}\n`);
  });

  it('serves the page and the runbook', async () => {
    for (const path of ['/', '/runbook']) {
      const answer = await fetch(url + path);
      expect(answer.status).toBe(200);
      expect(await answer.text()).toContain('<!doctype html>');
    }
  });
});

describe('docs/client.md', () => {
  const program = (name: string, environment: Record<string, string>) =>
    spawn(process.execPath, [join(empty, name)], {
      env: environmentOf(environment),
      stdio: ['ignore', 'pipe', 'inherit'],
    });

  beforeAll(async () => {
    await writeFile(join(empty, 'calls.ts'), calls);
    await writeFile(join(empty, 'hook.ts'), hook);
  });

  it('has programs that a strict compiler takes, and none that is wrong', async () => {
    await writeFile(join(empty, 'wrong.ts'), calls.replace("outcome: 'failure'", "outcome: 'failed'"));
    const types = join(fileURLToPath(new URL('../../node_modules', import.meta.url)), '@types');
    const options = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2024'];
    const check = (name: string) =>
      run(process.execPath, [TSC, ...options, '--types', 'node', '--typeRoots', types, name], { cwd: empty });
    await Promise.all([check('calls.ts'), check('hook.ts')]);
    await expect(check('wrong.ts')).rejects.toMatchObject({ stdout: expect.stringContaining('"failed"') });
  });

  it('follows a call, lists calls and reads the feed', async () => {
    const child = program('calls.ts', { POLYKEEP_URL: url, POLYKEEP_API_KEY: KEY });
    const [said, [code]] = await Promise.all([buffer(child.stdout), once(child, 'exit')]);
    expect({ code, said: said.toString() }).toEqual({
      code: 0,
      said: [
        'failure queued calling failure',
        '1',
        'no-answer-1 queued true',
        'no-answer-1 calling true',
        'no-answer-1 failure true',
        '',
      ].join('\n'),
    });
  });

  it('receives a webhook, also between two secrets', async () => {
    const port = await freePort();
    const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
    const post = async (path: string, body: unknown): Promise<{ id: string; secret: string }> => {
      const answer = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
      expect(answer.ok, await answer.clone().text()).toBe(true);
      return JSON.parse(await answer.text());
    };
    const target = `http://127.0.0.1:${port}/hook`;
    const { id, secret } = await post('/v1/webhooks', { url: target, events: ['call.settled'] });
    await post(`/v1/webhooks/${id}/rotate`, {});
    const child = program('hook.ts', { PORT: `${port}`, WEBHOOK_SECRET: `whsec_c29tZXRoaW5n ${secret}` });
    try {
      await expect.poll(() => statusOf(target)).toBe(401);
      const lines = createInterface(child.stdout);
      const told = once(lines, 'line');
      await post('/v1/calls', { callSid: 'success-2' });
      expect(`${await told}`).toMatch(/^msg_\S+ success-2 success$/);
    } finally {
      child.kill();
    }
  });
});

async function statusOf(target: string): Promise<number> {
  try {
    return (await fetch(target, { method: 'POST', body: '{}' })).status;
  } catch {
    return 0;
  }
}
