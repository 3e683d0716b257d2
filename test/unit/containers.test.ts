import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../src/config/config.ts';
import { Environment } from '../../src/config/environment.ts';
import { SECRET_FILES } from '../../src/config/secret-files.ts';

const read = (name: string) => readFile(new URL(`../../${name}`, import.meta.url), 'utf8');
const names = [...Object.keys(Environment.properties), ...SECRET_FILES];

interface Service {
  command?: string | string[];
  environment?: Record<string, string | number>;
  volumes?: (string | { source: string; target: string })[];
}

const compose: { services: Record<string, Service>; secrets: Record<string, { file: string }> } = parse(
  await read('docker-compose.yml'),
  { merge: true },
);

describe('docker-compose.yml, with the secrets of ops/make-secrets.sh', () => {
  let folder: string;
  const makeSecrets = (token: string) =>
    execFileSync('sh', [join(folder, 'ops/make-secrets.sh')], { input: `${token}\n` });
  const secret = (name: string) => readFile(join(folder, 'secrets', name), 'utf8');

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'polykeep-compose-'));
    await mkdir(join(folder, 'ops'));
    const script = 'ops/make-secrets.sh';
    await cp(fileURLToPath(new URL(`../../${script}`, import.meta.url)), join(folder, script));
    makeSecrets('polyai-token');
  });

  afterAll(() => rm(folder, { recursive: true }));

  it.each(['migrate', 'api', 'worker'] as const)('configures %s', async (command) => {
    const { environment = {}, command: started, volumes } = compose.services[command] ?? {};
    expect(started).toBe(command);
    expect(volumes).toMatchObject([{ source: './secrets/polykeep', target: '/run/secrets' }]);
    expect(Object.keys(environment).filter((name) => !names.includes(name))).toEqual([]);
    // As compose fills in what .env does not have, and where the folder is mounted.
    const given = Object.entries(environment).map(([name, value]) => [
      name,
      `${value}`
        .replace(/^\$\{\w+-(.*)\}$/, '$1')
        .replace(/^\/run\/secrets\//, join(folder, 'secrets/polykeep/')),
    ]);
    const config = readConfig(command, Object.fromEntries(given));
    const password = (await secret('postgres_password')).trim();
    expect(config).toMatchObject({
      HOST: '0.0.0.0',
      DATABASE_URL: `postgres://polykeep:${password}@postgres:5432/polykeep`,
      REDIS_URL: 'redis://redis:6379',
      WEBHOOKS_SECRET: expect.stringMatching(/^[0-9a-f]{48}$/),
      apiKeys: [
        { name: 'client', scope: 'write' },
        { name: 'metrics', scope: 'read' },
      ],
      accounts: command === 'migrate' ? [] : [{ name: 'default', token: 'polyai-token' }],
    });
  });

  it('has all that the other services are given', async () => {
    const files = Object.values(compose.secrets).map(({ file }) => file.replace('./secrets/', ''));
    const made = await readdir(join(folder, 'secrets'));
    expect(made).toEqual(expect.arrayContaining(files));
    const keys = await secret('polykeep/api_keys');
    for (const name of ['api_key', 'metrics_key']) expect(keys).toContain((await secret(name)).trim());
  });

  it('lets nobody but its owner into the folder, and each container at its files', async () => {
    const modeOf = async (path: string) => ((await stat(join(folder, path))).mode & 0o777).toString(8);
    expect(await modeOf('secrets')).toBe('700');
    expect(await modeOf('secrets/polykeep')).toBe('755');
    expect(await modeOf('secrets/polykeep/api_keys')).toBe('644');
    expect(await modeOf('secrets/postgres_password')).toBe('644');
  });

  it('makes no token of nothing', async () => {
    await rm(join(folder, 'secrets/polykeep/polyai_auth_token'));
    makeSecrets('');
    expect(await readdir(join(folder, 'secrets/polykeep'))).not.toContain('polyai_auth_token');
    makeSecrets('polyai-token');
    expect(await secret('polykeep/polyai_auth_token')).toBe('polyai-token\n');
  });

  it('keeps what is there', async () => {
    const before = await Promise.all(['polykeep/polyai_auth_token', 'polykeep/api_keys'].map(secret));
    makeSecrets('another-token');
    const after = await Promise.all(['polykeep/polyai_auth_token', 'polykeep/api_keys'].map(secret));
    expect(after).toEqual(before);
  });
});

it('the image sets variables of the configuration alone', async () => {
  const [, settings = ''] = /^ENV NODE_ENV=production (.*)$/m.exec(await read('Dockerfile')) ?? [];
  const set = settings.split(' ').map((setting) => setting.split('=')[0]);
  expect(set).toEqual(['HOST', 'PORT', 'WORKER_PORT']);
  expect(set.filter((name) => !names.includes(`${name}`))).toEqual([]);
});

it('the image has all that polykeep reads at run time', async () => {
  const ignored = await read('.dockerignore');
  const stages = (await read('Dockerfile')).split(/^FROM /m).slice(1);
  const copied = stages.map((stage) =>
    [...stage.matchAll(/^COPY (?:--from=\S+ )?(.*) \S+$/gm)].flatMap(([, from = '']) => from.split(' ')),
  );
  expect(new Set(copied.at(-1))).toEqual(
    new Set(['package.json', 'migrations', '/app/dist', '/app/node_modules']),
  );
  const given = new Set(copied.flat().filter((name) => !name.startsWith('/')));
  expect(given).toEqual(
    new Set([
      'package.json',
      'package-lock.json',
      'rolldown.config.ts',
      'rolldown.page.config.ts',
      'build',
      'docs/operations.md',
      'tsconfig.json',
      'migrations',
      'src',
    ]),
  );
  for (const name of given) expect(ignored).toContain(`!${name}\n`);
});
