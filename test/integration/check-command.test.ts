import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { check } from '../../src/commands/check.ts';
import { tryConfig } from '../../src/config/config.ts';
import { createSecrets } from '../../src/push/secrets.ts';
import { createWebhooks } from '../../src/push/webhooks.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { makeCertificate } from '../support/certificate.ts';
import { runPolykeep } from '../support/command-line.ts';
import { createDatabase, openTestDatabase } from '../support/database.ts';
import { freePort } from '../support/free-port.ts';
import { spawnPgBouncer } from '../support/pgbouncer.ts';
import { isOnPath } from '../support/redis-choice.ts';
import { spawnRedisCluster } from '../support/redis-cluster.ts';
import { spawnRedisServer } from '../support/redis-server.ts';

const TOKEN = 'a-token-of-some-length';
let folder: string;
let polyAi: Simulator;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'polykeep-check-'));
  polyAi = await startSimulator({ token: TOKEN });
});

afterAll(async () => {
  await polyAi.stop();
  await rm(folder, { recursive: true });
});

const environment = (more: Record<string, string> = {}) => ({
  POLYAI_AUTH_TOKEN: TOKEN,
  POLYAI_BASE_URL: polyAi.url,
  DATA_DIR: folder,
  ...more,
});

async function checked(more: Record<string, string> = {}): Promise<{ code: number; lines: string[] }> {
  const lines: string[] = [];
  const code = await check(tryConfig('check', environment(more)), (line) => lines.push(line));
  return { code, lines };
}

/** Of the lines the only one that is no ✓. */
async function fault(more: Record<string, string>): Promise<string> {
  const { code, lines } = await checked(more);
  expect(code).toBe(1);
  const wrong = lines.filter((line) => !line.startsWith('✓'));
  expect(wrong, lines.join('\n')).toHaveLength(1);
  return wrong[0] ?? '';
}

async function database(options = {}) {
  const made = await createDatabase(options);
  onTestFinished(() => made.drop());
  return made;
}

describe('polykeep check', () => {
  it('with the token alone tries what there is', async () => {
    const { code, lines } = await checked();
    expect(lines).toEqual([
      '✓ configuration: it can be used',
      `✓ Postgres: the one that comes along, which serve starts in ${folder}`,
      '✓ webhooks: their root is kept in DATA_DIR',
      '✓ Redis: none, and none is needed by one process alone',
      `✓ account default: ${new URL(polyAi.url).host} takes the token`,
    ]);
    expect(code).toBe(0);
  });

  it('is a command that says it on standard output, with its exit code', async () => {
    const { code, stdout, stderr } = await runPolykeep(
      ['check'],
      environment({ PORT: 'x', RETENTION_DAY: '5' }),
    );
    expect(code).toBe(1);
    expect(stdout.split('\n').slice(0, 2)).toEqual([
      '✗ PORT: must be integer',
      '! RETENTION_DAY: is not known: did you mean RETENTION_DAYS?',
    ]);
    expect(stderr).toBe('');
  });

  it('tells of all that is wrong with the configuration, and tries the rest', async () => {
    const { lines } = await checked({ PORT: 'x', REDIS_URL: 'x', API_KEYS: 'x' });
    expect(lines.map((line) => line.split(':')[0])).toEqual([
      '✗ REDIS_URL',
      '✗ PORT',
      '✗ API_KEYS',
      '✓ Postgres',
      '✓ webhooks',
      '✓ account default',
    ]);
  });

  it('says of a folder for data that it cannot be one', async () => {
    expect(await fault({ DATA_DIR: '/dev/null/data' })).toMatch(
      /^✗ DATA_DIR: ENOTDIR: .*: set it to a folder/,
    );
  });
});

describe('of Postgres', () => {
  it('version, encoding, way and rights are told, before the first migration and after it', async () => {
    for (const [migrated, rights] of [
      [false, /may make the tables \(migrations to come: \d+\)$/],
      [true, /its tables: up to date, and may be written$/],
    ] as const) {
      const { lines } = await checked({ DATABASE_URL: (await database({ migrated })).url });
      expect(lines.slice(1, 6)).toEqual([
        expect.stringMatching(/^✓ Postgres at \S+ \(database "test_\w+", user "\w+"\): version \d+/),
        '✓ Postgres: its encoding: UTF8',
        '✓ Postgres: the way to it: direct',
        expect.stringMatching(rights),
        '✓ webhooks: there are none, and none can be made without WEBHOOKS_SECRET',
      ]);
    }
  });

  it('what is in the way is told', async () => {
    const latin = await database({ migrated: false, encoding: 'LATIN1' });
    expect(await fault({ DATABASE_URL: latin.url })).toMatch(/its encoding: the encoding of the database/);
    const url = Object.assign(new URL(inject('postgresUrl')), { port: '1', password: 'secret' }).href;
    const away = await fault({ DATABASE_URL: url });
    expect(away).toMatch(/^✗ Postgres at 127\.0\.0\.1:1 .*: connect ECONNREFUSED .*: is DATABASE_URL right/);
    expect(away).not.toContain('secret');
  });

  it.each([
    ['another user', { username: 'nobody' }, /: set the user and password of DATABASE_URL right$/],
    [
      'another database',
      { pathname: 'nowhere' },
      /: create the database, or name another one in DATABASE_URL$/,
    ],
    [
      'TLS',
      { search: '?sslmode=require' },
      /: set up TLS on the server, or leave sslmode out of DATABASE_URL$/,
    ],
  ])('what to do about %s is told', async (_, other, advice) => {
    const url = Object.assign(new URL(inject('postgresUrl')), other).href;
    expect(await fault({ DATABASE_URL: url })).toMatch(advice);
  });

  it('a role that may not make the tables is told what to grant', async () => {
    const test = await database({ migrated: false });
    const role = `nobody_${randomUUID().slice(0, 8)}`;
    await test.query(`create role ${role} login password 'x'`);
    onTestFinished(() => test.query(`drop role ${role}`).then(() => {}));
    const url = Object.assign(new URL(test.url), { username: role, password: 'x' }).href;
    expect(await fault({ DATABASE_URL: url })).toMatch(
      new RegExp(`the rights of the role: .*grant create on database test_\\w+ to ${role}$`),
    );
  });

  it.skipIf(!isOnPath('pgbouncer'))('a pooler is told of, and refused where it stands alone', async () => {
    const test = await database();
    const pgbouncer = await spawnPgBouncer(inject('postgresUrl'));
    onTestFinished(() => pgbouncer.stop());
    const pooled = pgbouncer.urlOf(test.url);
    expect(await fault({ DATABASE_URL: pooled })).toMatch(/the way to it: .*pooler in transaction mode/);
    const { code, lines } = await checked({ DATABASE_URL: pooled, DATABASE_DIRECT_URL: test.url });
    expect(code).toBe(0);
    expect(lines).toContainEqual(expect.stringMatching(/^✓ the pooler before it: Postgres at /));
  });

  it('another root than that of the webhooks there are is told of', async () => {
    const test = await openTestDatabase();
    onTestFinished(() => test.drop());
    const [root, other] = ['a'.repeat(40), 'b'.repeat(40)];
    await createWebhooks(test.pool, createSecrets(root)).create({
      url: 'https://receiver.example',
      events: ['call.settled'],
      account: null,
      metadata: {},
      description: null,
    });
    expect((await checked({ DATABASE_URL: test.url, WEBHOOKS_SECRET: root })).lines).toContain(
      '✓ webhooks: WEBHOOKS_SECRET is the root of all 1',
    );
    expect(await fault({ DATABASE_URL: test.url, WEBHOOKS_SECRET: other })).toMatch(/not the root of 1 of 1/);
    expect(await fault({ DATABASE_URL: test.url })).toMatch(/nothing is sent to the 1 there are/);
  });
});

describe.skipIf(!isOnPath('redis-server'))('of Redis', () => {
  async function redis(options: Parameters<typeof spawnRedisServer>[0]): Promise<string> {
    const server = await spawnRedisServer(options);
    onTestFinished(() => server.stop());
    return server.url;
  }

  it('writes and eviction are told', async () => {
    const url = await redis({});
    expect((await checked({ REDIS_URL: url })).lines).toEqual(
      expect.arrayContaining([
        `✓ Redis at ${new URL(url).host}: takes writes`,
        '✓ Redis: keeps what it has (noeviction)',
      ]),
    );
    const evicting = await redis({ 'maxmemory-policy': 'allkeys-lru' });
    expect(await fault({ REDIS_URL: evicting })).toBe(
      '✗ Redis: may evict keys (allkeys-lru): set its maxmemory-policy to noeviction',
    );
  });

  it('one that is away, or knows us not, or takes no writes is told of in its own words', async () => {
    const port = await freePort();
    expect(await fault({ REDIS_URL: `redis://127.0.0.1:${port}` })).toBe(
      `✗ Redis at 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}: is REDIS_URL right, and does the server run?`,
    );
    const locked = await redis({ requirepass: 'right' });
    const wrong = await fault({ REDIS_URL: locked.replace('//', '//:wrong@') });
    expect(wrong).toMatch(/WRONGPASS.*: set the password of REDIS_URL right$/);
    expect(await fault({ REDIS_URL: `rediss://${new URL(polyAi.url).host}` })).toMatch(
      /SSL routines.*: does the port of REDIS_URL speak TLS\? Without it, write redis:\/\/ and not rediss:\/\/$/,
    );
    expect(wrong).not.toContain(':wrong@');
    const replica = await redis({ replicaof: `127.0.0.1 ${port}` });
    expect(await fault({ REDIS_URL: replica })).toMatch(
      /takes no writes: .*READONLY.*: name the primary in REDIS_URL$/,
    );
  });

  it('one of a cluster is to be named as one', async () => {
    const cluster = await spawnRedisCluster();
    onTestFinished(() => cluster.stop());
    expect(await fault({ REDIS_URL: cluster.servers[0] ?? '' })).toMatch(
      /one of a cluster: write REDIS_URL as/,
    );
    const { code, lines } = await checked({ REDIS_URL: cluster.url });
    expect(code, lines.join('\n')).toBe(0);
    expect(lines).toContainEqual(expect.stringMatching(/^✓ the Redis cluster at .*: takes writes$/));
  });
});

describe('of an account', () => {
  /** A server that is no PolyAI. */
  async function answering(status: number, body: string): Promise<string> {
    const server = createServer((_request, response) => void response.writeHead(status).end(body));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    onTestFinished(() => void server.close());
    const address = server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  }

  it.each([
    [
      'a token that is refused',
      { POLYAI_AUTH_TOKEN: 'another-token' },
      /refuses the token \(HTTP 401: Invalid/,
    ],
    [
      'a port where nobody listens',
      { POLYAI_BASE_URL: 'http://127.0.0.1:1' },
      /cannot be reached \(ECONNREFUSED/,
    ],
    [
      'a name that is none',
      { POLYAI_BASE_URL: 'https://polyai.invalid' },
      /name leads nowhere \((ENOTFOUND|EAI_)/,
    ],
  ])('%s', async (_, more, words) => {
    expect(await fault(more)).toMatch(words);
  });

  it.each([
    [
      'a 404 that is not PolyAI’s',
      404,
      '<h1>Not Found</h1>',
      /answers HTTP 404 as PolyAI does not: is POLYAI_BASE_URL/,
    ],
    ['a page', 200, '<h1>Welcome</h1>', /answers HTTP 200 as PolyAI does not/],
    ['a redirect', 301, '', /answers HTTP 301 as PolyAI does not/],
    ['a gateway that is down', 502, 'bad gateway', /has no answer now \(HTTP 502/],
    ['a limit', 429, '', /takes no more requests for now/],
    ['a firewall', 403, '<h1>Forbidden</h1>', /refuses the token \(HTTP 403\)/],
  ])('%s in its place', async (_, status, body, words) => {
    expect(await fault({ POLYAI_BASE_URL: await answering(status, body) })).toMatch(words);
  });

  it('https:// where http is spoken', async () => {
    const url = (await answering(200, '')).replace('http:', 'https:');
    expect(await fault({ POLYAI_BASE_URL: url })).toMatch(
      /does not speak TLS \([A-Z_]+\): is POLYAI_BASE_URL .* right\?$/,
    );
  });

  it('a certificate that nobody trusts', async () => {
    const secure = await startSimulator({
      token: TOKEN,
      tls: { ...(await makeCertificate()), http2: false },
    });
    onTestFinished(() => secure.stop());
    expect(await fault({ POLYAI_BASE_URL: secure.url })).toMatch(
      /its certificate is not trusted \((DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)\w+/,
    );
  });
});
