import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ConfigError } from '../../src/config/config-error.ts';
import { loadEnvironmentFile } from '../../src/config/environment-file.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'polykeep-env-'));
});

afterAll(() => rm(folder, { recursive: true }));

async function load(content: string | Buffer, environment: Record<string, string | undefined> = {}) {
  const path = join(folder, '.env');
  await writeFile(path, content);
  loadEnvironmentFile(path, environment);
  return environment;
}

it('a byte order mark, quotes, # and export are read as dotenv does', async () => {
  const lines = [
    '\uFEFFPOLYAI_AUTH_TOKEN=first',
    '# PORT=1',
    'A=before # a comment',
    'B=cut#here',
    `C='kept#here' # a comment`,
    'D="two words"',
    `E='as $it is'`,
    'F="two\\nlines"',
    'export G = 7',
    'H=',
  ];
  expect(await load(lines.join('\r\n'))).toEqual({
    POLYAI_AUTH_TOKEN: 'first',
    A: 'before',
    B: 'cut',
    C: 'kept#here',
    D: 'two words',
    E: 'as $it is',
    F: 'two\nlines',
    G: '7',
    H: '',
  });
});

it('what the environment says already stays', async () => {
  expect(await load('PORT=1\nHOST=h', { PORT: '2' })).toEqual({ PORT: '2', HOST: 'h' });
});

it('no file is as an empty one; what cannot be read says why', async () => {
  const environment = {};
  loadEnvironmentFile(join(folder, 'nowhere'), environment);
  expect(environment).toEqual({});
  expect(() => loadEnvironmentFile(folder, {})).toThrow(
    new ConfigError([`${folder}: cannot be read (EISDIR)`]),
  );
  await expect(load(Buffer.from('\uFEFFPORT=1', 'utf16le'))).rejects.toThrow(/is UTF-16: save it as UTF-8$/);
});
