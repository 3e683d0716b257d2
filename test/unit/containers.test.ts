import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../src/config/config.ts';
import { Environment } from '../../src/config/environment.ts';

const read = (name: string) => readFile(new URL(`../../${name}`, import.meta.url), 'utf8');
const names = Object.keys(Environment.properties);

interface Service {
  command?: string | string[];
  environment?: Record<string, string | number>;
}

const compose: { services: Record<string, Service> } = parse(await read('docker-compose.yml'), {
  merge: true,
});

it.each(['migrate', 'api', 'worker'] as const)('docker-compose.yml configures %s', (command) => {
  const { environment = {} } = compose.services[command] ?? {};
  expect(compose.services[command]?.command).toBe(command);
  expect(Object.keys(environment).filter((name) => !names.includes(name))).toEqual([]);
  const given = Object.entries(environment).map(([name, value]) => [name, `${value}`] as const);
  // As compose fills in what .env has.
  const filled = given.map(([name, value]) => [
    name,
    value.replace(/\$\{POSTGRES_PASSWORD[^}]*\}/, 'secret1').replace(/\$\{ACCOUNTS_FILE:\+[^}]*\}/, ''),
  ]);
  const config = readConfig(command, {
    ...Object.fromEntries(filled),
    API_KEYS: 'backend:write:0123456789abcdef',
    POLYAI_AUTH_TOKEN: 'token',
  });
  expect(config).toMatchObject({
    HOST: '0.0.0.0',
    DATABASE_URL: 'postgres://polykeep:secret1@postgres:5432/polykeep',
    REDIS_URL: 'redis://redis:6379',
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
