import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import type { Command } from '../../src/config/required.ts';
import { outboundCallingApi } from '../../src/polyai/outbound-calling.ts';
import { readAllowance } from '../../src/push/allowance.ts';

const minimal = { POLYAI_AUTH_TOKEN: 'secret-token' };

function problems(environment: Record<string, string>, command: Command = 'serve'): readonly string[] {
  try {
    readConfig(command, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

it('a token is all that is needed; the rest has the documented defaults', () => {
  const pace = { intervalMinMs: 2000, intervalMaxMs: 5000, backoffMaxMs: 60000 };
  expect(readConfig('serve', minimal)).toEqual({
    accounts: [
      {
        name: 'default',
        api: outboundCallingApi,
        baseUrl: 'https://api.us-1.platform.polyai.app',
        token: 'secret-token',
        scope: {},
        maxRequestsPerSecond: null,
        pace,
      },
    ],
    apiKeys: [],
    webhooksAllow: readAllowance('loopback', []),
    proxies: { https: null, http: null, except: null },
    API_MAX_REQUESTS_PER_SECOND: 5_000,
    POLYAI_API: 'outbound-calling',
    POLYAI_HTTP2: false,
    POLYAI_RETENTION_MS: 7200000,
    HOST: '127.0.0.1',
    PORT: 8080,
    DATA_DIR: './data',
    POLL_INTERVAL_MIN_MS: 2000,
    POLL_INTERVAL_MAX_MS: 5000,
    POLL_TIMEOUT_MS: 10000,
    POLL_BACKOFF_MAX_MS: 60000,
    LEASE_MS: 60000,
    NOT_FOUND_GRACE_MS: 120000,
    MAX_TRACKING_MS: 86400000,
    WORKER_CONCURRENCY: 20000,
    LOG_LEVEL: 'info',
    TRACE_BACKGROUND: false,
    statsBy: [],
    warnings: [],
  });
});

it('STATS_BY is a list of keys, each once', () => {
  const read = (keys: string) => readConfig('serve', { ...minimal, STATS_BY: keys }).statsBy;
  expect(read('campaign, team,campaign')).toEqual(['campaign', 'team']);
  expect(() => read('campaign,')).toThrow(/^STATS_BY: has an empty key/);
  expect(() => read('a,b,c,d,e,f,g,h,i,j,k')).toThrow(/^STATS_BY: must have no more than 10 keys/);
});

it('takes its own variables alone, and an empty one as unset', () => {
  const config = readConfig('serve', { ...minimal, AWS_SECRET: 'theirs', PORT: '', DATABASE_URL: '' });
  expect(config).not.toHaveProperty('AWS_SECRET');
  expect(config).not.toHaveProperty('DATABASE_URL');
  expect(config.PORT).toBe(8080);
});

it('proxies may be named in small letters, which come first', () => {
  const environment = { ...minimal, HTTPS_PROXY: 'http://a', https_proxy: 'http://b', no_proxy: 'c' };
  expect(readConfig('serve', environment).proxies).toEqual({ https: 'http://b', http: null, except: 'c' });
});

it('HTTP/2 is spoken where true says so', () => {
  expect(readConfig('serve', { ...minimal, POLYAI_HTTP2: 'true' }).POLYAI_HTTP2).toBe(true);
  expect(readConfig('serve', { ...minimal, POLYAI_HTTP2: 'false' }).POLYAI_HTTP2).toBe(false);
});

describe('one plain line that names the variable for', () => {
  it.each([
    ['POLYAI_HTTP2', 'perhaps'],
    ['POLYAI_RETENTION_MS', '-1'],
    ['PORT', 'eighty'],
    ['PORT', '70000'],
    ['PORT', '80.5'],
    ['WORKER_PORT', '65536'],
    ['LEASE_MS', '0'],
    ['LEASE_MS', '99999999999'],
    ['WORKER_CONCURRENCY', '-1'],
    ['LOG_LEVEL', 'loud'],
    ['POLYAI_API', 'voice'],
    ['POLYAI_AGENT_ID', 'a-1'],
    ['POLYAI_MAX_REQUESTS_PER_SECOND', '0'],
    ['POLYAI_BASE_URL', 'api.polyai.app'],
    ['POLYAI_BASE_URL', 'ftp://polyai'],
    ['POLYAI_AUTH_TOKEN', 'two words'],
    ['DATABASE_URL', 'mysql://here'],
    ['DATABASE_URL', 'postgres://h1,h2/db'],
    ['DATABASE_URL', 'postgres://h/db?sslmode=prefer'],
    ['DATABASE_URL', 'postgres://h/db?sslmode=verify-full&sslrootcert=/nowhere/ca.pem'],
    ['DATABASE_DIRECT_URL', 'postgres://h/db'],
    ['EMBEDDED_POSTGRES_PORT', '0'],
    ['REDIS_URL', 'localhost:6379'],
    ['REDIS_URL', 'redis-sentinel://h1,h2'],
    ['HTTPS_PROXY', 'socks5://h:1080'],
    ['HTTP_PROXY', 'http://'],
    ['POLL_INTERVAL_MIN_MS', '6000'],
    ['HOST', '0.0.0.0'],
    ['HOST', '::'],
    ['API_KEYS', 'me:write:secret'],
    ['API_KEYS', 'me:admin:a-key-of-sixteen-characters'],
    ['API_KEYS', 'a-key-of-sixteen-characters'],
    ['API_KEYS', 'me:read:sha256:abc'],
    ['API_KEYS', 'me:read:a-key-of-sixteen-characters,me:write:a-key-of-sixteen-character2'],
    ['API_MAX_REQUESTS_PER_SECOND', '0'],
    ['ACCOUNTS_FILE', 'nowhere/accounts.json'],
    ['WEBHOOKS_SECRET', 'short'],
    ['WEBHOOKS_ALLOW', 'https://hooks.internal'],
    ['WEBHOOKS_ALLOW', '10.0.0.0/33'],
  ])('%s=%s', (name, value) => {
    const found = problems({ ...minimal, [name]: value });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(new RegExp(`^${name}: `));
    expect(found[0]).not.toContain('\n');
  });

  it('each problem, all at once', () => {
    const names = problems({ PORT: 'x', LEASE_MS: '-5' }).map((line) => line.split(':')[0]);
    expect(names.sort()).toEqual(['LEASE_MS', 'POLYAI_AUTH_TOKEN', 'PORT']);
  });

  it('those of lists, keys and accounts among them, each as if all others were right', () => {
    const names = problems({
      ...minimal,
      POLYAI_API: 'voice',
      PORT: 'x',
      DATABASE_URL: 'mysql://here',
      POLL_INTERVAL_MIN_MS: '9000',
      POLL_INTERVAL_MAX_MS: 'x',
      API_KEYS: 'me:write:secret',
      STATS_BY: 'a,',
      WEBHOOKS_ALLOW: '10.0.0.0/33',
      ACCOUNTS_FILE: 'nowhere.json',
    }).map((line) => line.split(':')[0]);
    expect(names.sort()).toEqual([
      'ACCOUNTS_FILE',
      'API_KEYS',
      'DATABASE_URL',
      'POLL_INTERVAL_MAX_MS',
      'POLYAI_API',
      'PORT',
      'STATS_BY',
      'WEBHOOKS_ALLOW',
    ]);
  });

  it.each([
    ['LOG_LEVEL', 'loud', 'must be fatal, error, warn, info, debug, trace or silent'],
    ['POLYAI_API', 'voice', 'must be outbound-calling or agents'],
    ['POLYAI_HTTP2', 'perhaps', 'must be true or false'],
  ])('%s, with what is allowed', (name, value, words) => {
    expect(problems({ ...minimal, [name]: value })).toEqual([`${name}: ${words}`]);
  });

  it('what processes that share the work must share', () => {
    expect(problems(minimal, 'worker')).toEqual([
      'DATABASE_URL: required by the command worker',
      'REDIS_URL: required by the command worker',
    ]);
    expect(
      problems({ ...minimal, DATABASE_URL: 'postgres://p', REDIS_URL: 'redis://r', HOST: '::' }, 'worker'),
    ).toEqual([expect.stringMatching(/^HOST: must be a loopback address/)]);
    expect(problems({}, 'migrate')).toEqual(['DATABASE_URL: required by the command migrate']);
  });
});

it('never repeats a value: it may be a secret', () => {
  const lines = problems({
    POLYAI_AUTH_TOKEN: 'two words',
    DATABASE_URL: 'password@host',
    HOST: 'evil.example',
  });
  expect(lines).toHaveLength(3);
  expect(lines.join()).not.toMatch(/two words|password|evil/);
});

describe('a variable that is not known', () => {
  const warnings = (more: Record<string, string>) => readConfig('serve', { ...minimal, ...more }).warnings;

  it.each([
    ['RETENTION_DAY', 'RETENTION_DAYS'],
    ['POLYAI_AUTHTOKEN', 'POLYAI_AUTH_TOKEN'],
    ['REDIS_URI', 'REDIS_URL'],
    ['API_KEY', 'API_KEYS'],
    ['API_KEY_FILE', 'API_KEYS_FILE'],
    ['POLYAI_TOKEN', 'POLYAI_AUTH_TOKEN'],
    ['POLL_INTERVAL', 'POLL_INTERVAL_MIN_MS'],
    ['RETENTION', 'RETENTION_DAYS'],
    ['POLYAI_(', null],
    ['POSTS', null],
    ['POLYAI_REGION', null],
  ])('%s is warned of where it begins like one of ours', (name, meant) => {
    const expected =
      meant === null ? `${name}: is not known` : `${name}: is not known: did you mean ${meant}?`;
    expect(warnings({ [name]: 'x' })).toEqual(name === 'POSTS' ? [] : [expected]);
  });

  it('is told of where it names a file, and is no secret', () => {
    expect(warnings({ POLYAI_BASE_URL_FILE: 'x' })).toEqual([
      'POLYAI_BASE_URL_FILE: is not known: of files only secrets are read, as of POLYAI_AUTH_TOKEN_FILE',
    ]);
  });

  it('is told of beside what is wrong: what is missing may be there under it', () => {
    expect(problems({ POLYAI_AUTH_TOKEN: '', POLYAI_AUTH_TOKN: 'x' })).toEqual([
      'POLYAI_AUTH_TOKEN: required by the command serve, or ACCOUNTS_FILE',
      'POLYAI_AUTH_TOKN: is not known: did you mean POLYAI_AUTH_TOKEN?',
    ]);
  });

  it('is not where it is another program’s', () => {
    const others = {
      PATH: 'x',
      HOME: 'x',
      HOSTNAME: 'x',
      FTP_PROXY: 'x',
      https_proxy: 'http://h',
      NO_COLOR: 'x',
    };
    expect(
      warnings({ ...others, DATABASE_HOST: 'x', POSTGRES_PASSWORD: 'x', LOG_FILE: 'x', PORT_FILE: 'x' }),
    ).toEqual([]);
  });

  it('is not where it is of a Kubernetes service, and a name of ours is not taken for one', () => {
    const links = {
      POLYKEEP_PORT: 'tcp://10.0.0.1:80',
      POLYKEEP_PORT_8080_TCP: 'tcp://10.0.0.1:80',
      POLYKEEP_PORT_8080_TCP_ADDR: '10.0.0.1',
      POLYKEEP_SERVICE_HOST: '10.0.0.1',
      POLYKEEP_SERVICE_PORT_HTTP: '80',
      REDIS_PORT: 'tcp://10.0.0.1:6379',
    };
    expect(warnings(links)).toEqual([]);
    const config = readConfig('serve', {
      ...minimal,
      WORKER_PORT: 'tcp://10.0.0.2:80',
      PORT: 'tcp://10.0.0.3:80',
    });
    expect(config).toMatchObject({ PORT: 8080 });
    expect(config).not.toHaveProperty('WORKER_PORT');
    expect(config.warnings).toEqual([
      expect.stringMatching(/^PORT: is that of a Kubernetes service/),
      expect.stringMatching(/^WORKER_PORT: is that of a Kubernetes service/),
    ]);
  });
});
