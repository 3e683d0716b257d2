import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import { agentsApi } from '../../src/polyai/agents.ts';

const SECRET = 'a-secret-that-nobody-may-read';
let folder: string;
let path: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'polykeep-accounts-'));
  path = join(folder, 'accounts.json');
  await writeFile(join(folder, 'token'), `${SECRET}\n`);
});

afterAll(() => rm(folder, { recursive: true }));

async function read(content: unknown, environment: Record<string, string> = {}) {
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return readConfig('serve', { ACCOUNTS_FILE: path, ...environment }).accounts;
}

async function problems(content: unknown, environment: Record<string, string> = {}) {
  try {
    await read(content, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('ACCOUNTS_FILE', () => {
  it('names several accounts, each with what it says and the defaults for the rest', async () => {
    const accounts = await read({
      accounts: [
        { name: 'us', token: 'one' },
        {
          name: 'uk',
          baseUrl: 'https://api.uk-1.platform.polyai.app',
          token: 'two',
          maxRequestsPerSecond: 2.5,
          pollIntervalMinMs: 4_000,
          pollIntervalMaxMs: 9_000,
        },
        { name: 'agent', api: 'agents', token: 'three', agentId: 'a-1', environment: 'live' },
      ],
    });
    expect(accounts.map(({ name, baseUrl, token }) => [name, baseUrl, token])).toEqual([
      ['us', 'https://api.us-1.platform.polyai.app', 'one'],
      ['uk', 'https://api.uk-1.platform.polyai.app', 'two'],
      ['agent', 'https://api.us.poly.ai', 'three'],
    ]);
    expect(accounts[0]?.pace).toEqual({ intervalMinMs: 2_000, intervalMaxMs: 5_000, backoffMaxMs: 60_000 });
    expect(accounts[1]?.pace).toEqual({ intervalMinMs: 4_000, intervalMaxMs: 9_000, backoffMaxMs: 60_000 });
    expect(accounts[1]?.maxRequestsPerSecond).toBe(2.5);
    expect(accounts[2]).toMatchObject({ api: agentsApi, scope: { agentId: 'a-1', environment: 'live' } });
  });

  it('has tokens from the environment, and from files beside it', async () => {
    const accounts = await read(
      {
        accounts: [
          { name: 'a', token: { env: 'TOKEN_OF_A' } },
          { name: 'b', token: { file: 'token' } },
        ],
      },
      { TOKEN_OF_A: 'from-the-environment' },
    );
    expect(accounts.map(({ token }) => token)).toEqual(['from-the-environment', SECRET]);
  });

  it('goes together with the account of the single-account variables', async () => {
    const single = {
      POLYAI_AUTH_TOKEN: 'one',
      POLYAI_API: 'agents',
      POLYAI_AGENT_ID: 'a-1',
      POLYAI_ENVIRONMENT: 'sandbox',
      POLYAI_MAX_REQUESTS_PER_SECOND: '20',
    };
    const accounts = await read({ accounts: [{ name: 'uk', token: 'two' }] }, single);
    expect(accounts.map(({ name }) => name)).toEqual(['default', 'uk']);
    expect(accounts[0]).toMatchObject({
      api: agentsApi,
      scope: { agentId: 'a-1', environment: 'sandbox' },
      maxRequestsPerSecond: 20,
    });
  });

  it.each<[string, unknown, string]>([
    ['no JSON', '{', 'is not JSON: close brace expected'],
    ['no list', [], 'must be object'],
    ['an empty list', { accounts: [] }, 'accounts: must NOT have fewer than 1 items'],
    ['an unknown key', { accounts: [], more: 1 }, 'more is not known'],
    [
      'a misspelt key',
      { accounts: [{ name: 'a', token: 'x', baseURL: 'https://x' }] },
      'baseURL is not known',
    ],
    ['no name', { accounts: [{ token: 'x' }] }, "accounts.0: must have required property 'name'"],
    ['a name that is none', { accounts: [{ name: 'a b', token: 'x' }] }, 'accounts.0.name: must match'],
    [
      'the same name twice',
      { accounts: ['a', 'a'].map((name) => ({ name, token: 'x' })) },
      'account a: is there twice',
    ],
    ['no token', { accounts: [{ name: 'a' }] }, "accounts.0: must have required property 'token'"],
    [
      'a token of two',
      { accounts: [{ name: 'a', token: { env: 'A', file: 'b' } }] },
      'accounts.0.token: must be',
    ],
    [
      'a variable that is not set',
      { accounts: [{ name: 'a', token: { env: 'NOT_SET' } }] },
      'account a: token: the variable NOT_SET is missing',
    ],
    [
      'a file that is not there',
      { accounts: [{ name: 'a', token: { file: 'gone' } }] },
      'account a: token: the file gone is missing',
    ],
    [
      'another API',
      { accounts: [{ name: 'a', token: 'x', api: 'voice' }] },
      'accounts.0.api: must be outbound-calling or agents',
    ],
    [
      'an URL that is none',
      { accounts: [{ name: 'a', token: 'x', baseUrl: 'polyai' }] },
      'accounts.0.baseUrl: must be an http',
    ],
    [
      'no agent',
      { accounts: [{ name: 'a', token: 'x', api: 'agents', environment: 'live' }] },
      'account a: agentId: required by the API agents',
    ],
    [
      'another environment',
      { accounts: [{ name: 'a', token: 'x', api: 'agents', agentId: 'a', environment: 'prod' }] },
      'account a: environment: must be sandbox, pre-release or live',
    ],
    [
      'an agent of the other API',
      { accounts: [{ name: 'a', token: 'x', agentId: 'a' }] },
      'account a: agentId: means nothing to the API outbound-calling',
    ],
    [
      'no rate',
      { accounts: [{ name: 'a', token: 'x', maxRequestsPerSecond: 0 }] },
      'accounts.0.maxRequestsPerSecond: must be > 0',
    ],
    [
      'intervals the wrong way round',
      { accounts: [{ name: 'a', token: 'x', pollIntervalMinMs: 9000 }] },
      'account a: pollIntervalMinMs: must not be more',
    ],
  ])('with %s gets one plain line', async (_, content, line) => {
    const found = await problems(content);
    expect(found.map((problem) => problem.slice(0, 15))).toContain('ACCOUNTS_FILE: ');
    expect(found.join('\n')).toContain(line);
    expect(found.every((problem) => !problem.includes('\n'))).toBe(true);
  });

  it('is told of with the line', async () => {
    const lines = (accounts: string) => problems(`{\n  "accounts": [\n${accounts}\n  ]\n}\n`);
    const at = (line: number, words: string) => [`ACCOUNTS_FILE: ${path} line ${line}: ${words}`];
    expect(await lines(`    { "name": "a", "token": "${SECRET}", }`)).toEqual(
      at(3, 'is not JSON: property name expected'),
    );
    expect(await lines('    { "name": "a"\n      "token": "x" }')).toEqual(
      at(4, 'is not JSON: comma expected'),
    );
    expect(
      await lines(
        '    { "name": "a", "token": "x" },\n    { "name": "b", "token": "y",\n      "tocken": "z" }',
      ),
    ).toEqual(at(5, 'accounts.1: tocken is not known'));
    expect(
      await lines('    { "name": "a", "token": "x" },\n    { "token": "y", "name": "b",\n      "api": "x" }'),
    ).toEqual(at(5, 'accounts.1.api: must be outbound-calling or agents'));
    expect(await lines('    { "name": "a", "token": "x" },\n\n    { "name": "a", "token": "y" }')).toEqual(
      at(5, 'account a: is there twice'),
    );
  });

  it('may name variables of any name', async () => {
    const file = { accounts: [{ name: 'a', token: { env: 'POLYAI_TOKEN_OF_A' } }] };
    await read(file, { POLYAI_TOKEN_OF_A: 'x' });
    const environment = { ACCOUNTS_FILE: path, POLYAI_TOKEN_OF_A: 'x', POLYAI_TOKEN_OF_B: 'x' };
    expect(readConfig('serve', environment).warnings).toEqual(['POLYAI_TOKEN_OF_B: is not known']);
  });

  it('may not name the account of the variables again, nor go with variables that mean nothing', async () => {
    const file = { accounts: [{ name: 'default', token: 'x' }] };
    expect(await problems(file, { POLYAI_AUTH_TOKEN: 'y' })).toEqual([
      'ACCOUNTS_FILE: the account default is that of POLYAI_AUTH_TOKEN',
    ]);
    expect(await problems(file, { POLYAI_BASE_URL: 'https://api.polyai.app' })).toEqual([
      'POLYAI_BASE_URL: means nothing without POLYAI_AUTH_TOKEN; an account of ACCOUNTS_FILE has its own',
    ]);
  });

  it('never repeats a token in what is wrong with it', async () => {
    const lines = await problems({ accounts: [{ name: 'a', token: `${SECRET} ${SECRET}`, api: 'x' }] });
    const more = await problems({ accounts: [{ name: 'a', token: `${SECRET} ${SECRET}` }] });
    expect(more).toHaveLength(1);
    expect([...lines, ...more].join()).not.toContain(SECRET);
  });
});

it('an account of the variables needs what its API needs', () => {
  const environment = { POLYAI_AUTH_TOKEN: 'x', POLYAI_API: 'agents', POLYAI_ENVIRONMENT: 'prod' };
  expect(() => readConfig('serve', environment)).toThrowError(
    /^POLYAI_AGENT_ID: required by the API agents\nPOLYAI_ENVIRONMENT: must be sandbox, pre-release or live$/,
  );
});
