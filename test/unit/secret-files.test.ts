import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { variableOf } from '../../src/commands/archive-url.ts';
import { readConfig, tryConfig } from '../../src/config/config.ts';
import type { Command } from '../../src/config/required.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'polykeep-secrets-'));
});

afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, content: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

const problems = (environment: Record<string, string>, command: Command = 'serve') =>
  tryConfig(command, environment).problems;

it('each secret may be in a file', async () => {
  const config = readConfig('serve', {
    POLYAI_AUTH_TOKEN_FILE: await file('token', 'a-token'),
    API_KEYS_FILE: await file('keys', 'web:write:a-key-of-sixteen-characters\n'),
    DATABASE_URL_FILE: await file('database', 'postgres://pooler/db\r\n'),
    DATABASE_DIRECT_URL_FILE: await file('direct', 'postgres://server/db'),
    REDIS_URL_FILE: await file('redis', 'redis://r:6379'),
    HTTPS_PROXY_FILE: await file('https-proxy', 'http://a:b@proxy:3128'),
    HTTP_PROXY_FILE: await file('http-proxy', 'http://a:b@proxy:3129'),
    WEBHOOKS_SECRET_FILE: await file('root', 'a-root-of-thirty-two-characters-'),
    POLYKEEP_API_KEY_FILE: await file('key', 'a-key-of-sixteen-characters'),
    HOST: '0.0.0.0',
  });
  expect(config.accounts.map(({ token }) => token)).toEqual(['a-token']);
  expect(config.apiKeys.map(({ name, scope }) => [name, scope])).toEqual([['web', 'write']]);
  expect(config.warnings).toEqual([]);
  expect(config).toMatchObject({
    DATABASE_URL: 'postgres://pooler/db',
    DATABASE_DIRECT_URL: 'postgres://server/db',
    REDIS_URL: 'redis://r:6379',
    proxies: { https: 'http://a:b@proxy:3128', http: 'http://a:b@proxy:3129' },
    WEBHOOKS_SECRET: 'a-root-of-thirty-two-characters-',
    POLYKEEP_API_KEY: 'a-key-of-sixteen-characters',
  });
  expect(Object.keys(config).filter((name) => name.endsWith('_FILE'))).toEqual([]);
});

it('one line break at the end is no part of it, and another one is', async () => {
  const tokenOf = async (content: string) =>
    readConfig('serve', { POLYAI_AUTH_TOKEN_FILE: await file('one', content) }).accounts[0]?.token;
  expect(await tokenOf('a-token\n')).toBe('a-token');
  await expect(tokenOf('a-token\n\n')).rejects.toThrow(
    /^POLYAI_AUTH_TOKEN_FILE: must be visible ASCII characters without spaces$/,
  );
});

it('a file that cannot be used is named with its variable and why, and nothing else is complained of', async () => {
  const nowhere = join(folder, 'nowhere');
  const found = problems(
    {
      POLYAI_AUTH_TOKEN_FILE: nowhere,
      API_KEYS_FILE: folder,
      HOST: '0.0.0.0',
      DATABASE_URL_FILE: nowhere,
      DATABASE_DIRECT_URL: 'postgres://server/db',
      REDIS_URL_FILE: await file('empty', '\n'),
      POLYAI_MAX_REQUESTS_PER_SECOND: '5',
    },
    'worker',
  );
  expect(found).toEqual([
    `POLYAI_AUTH_TOKEN_FILE: ${nowhere} cannot be read (ENOENT)`,
    `API_KEYS_FILE: ${folder} cannot be read (EISDIR)`,
    `DATABASE_URL_FILE: ${nowhere} cannot be read (ENOENT)`,
    `REDIS_URL_FILE: ${join(folder, 'empty')} is empty`,
  ]);
});

it('a secret that is given twice is refused, and an empty variable is none', async () => {
  const path = await file('token', 'a-token');
  const both = { POLYAI_AUTH_TOKEN: 'another-token', POLYAI_AUTH_TOKEN_FILE: path };
  expect(problems(both)).toEqual([
    'POLYAI_AUTH_TOKEN_FILE: POLYAI_AUTH_TOKEN is given too: leave out one of them',
  ]);
  expect(problems({ ...both, POLYAI_AUTH_TOKEN: '' })).toEqual([]);
  expect(problems({ ...both, POLYAI_AUTH_TOKEN_FILE: '' })).toEqual([]);
});

it('what is wrong with it names the variable of the file, all at once and never the secret', async () => {
  const found = problems({
    POLYAI_AUTH_TOKEN_FILE: await file('token', 'two words'),
    API_KEYS_FILE: await file('keys', 'web:write:short-secret'),
    DATABASE_URL_FILE: await file('database', 'mysql://a:secret@h'),
    WEBHOOKS_SECRET_FILE: await file('root', 'secret'),
    PORT: 'x',
  });
  expect(found.map((line) => line.split(':')[0]).toSorted()).toEqual([
    'API_KEYS_FILE',
    'DATABASE_URL_FILE',
    'POLYAI_AUTH_TOKEN_FILE',
    'PORT',
    'WEBHOOKS_SECRET_FILE',
  ]);
  expect(found.join()).not.toMatch(/secret(?!s-)|two words/);
});

it('a command that cannot reach Postgres names the variable that it was given by', () => {
  expect(variableOf({ DATABASE_URL_FILE: '/f' })).toBe('DATABASE_URL_FILE');
  expect(variableOf({ DATABASE_URL_FILE: '/f', DATABASE_DIRECT_URL: 'postgres://h' })).toBe(
    'DATABASE_DIRECT_URL',
  );
});
