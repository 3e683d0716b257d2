import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { request } from 'undici';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { type HttpProxy, startHttpProxy } from '../support/http-proxy.ts';
import { startReceiver } from '../support/receiver.ts';
import { type RedisServer, spawnRedisServer } from '../support/redis-server.ts';
import { dumpDatabase, dumpRedis, secretsIn } from '../support/secrets.ts';
import { FAST, type SidecarProcess, spawnSidecar } from '../support/sidecar.ts';
import { type TcpProxy, tcpProxy } from '../support/tcp-proxy.ts';

const TOKENS = {
  default: 'the-token/of+default=',
  env: 'the-token/of+a-variable=',
  file: 'the-token/of+a-file=',
  inline: 'the-token/of+the-accounts-file=',
};
const SECRETS = {
  ...TOKENS,
  writeKey: 'the-key-that/may+write=',
  readKey: 'the-key-that/may+read=',
  wrongKey: 'the-key-that/is+none=',
  wrongToken: 'the-token/of+nobody=',
  newToken: 'the-token/of+tomorrow=',
  postgresPassword: 'the-password/of+postgres=@',
  redisPassword: 'the-password/of+redis=@',
  webhooksRoot: 'the-root/of+all-secrets-of-webhooks=',
  proxyPassword: 'the-password/of+the-proxy=@',
};
const AGENT = { agentId: 'agent-1', environment: 'live' };

let folder: string;
let polyai: Simulator;
let agents: Simulator;
let database: TestDatabase;
let postgres: TcpProxy;
let redisServer: RedisServer;
let proxy: HttpProxy;
let started: SidecarProcess[];
/** All that the processes have written, and all that clients were answered. */
let told: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'polykeep-redaction-'));
  polyai = await startSimulator();
  agents = await startSimulator({ style: 'agents' });
  database = await createDatabase({ migrated: false });
  const role = new URL(database.url).pathname.slice(1);
  await database.query(`create role ${role} login password '${SECRETS.postgresPassword}'`);
  await database.query(`alter database ${role} owner to ${role}`);
  await database.query(`alter schema public owner to ${role}`);
  const ofRole = Object.assign(new URL(database.url), { username: role, password: SECRETS.postgresPassword });
  postgres = await tcpProxy(ofRole.href);
  redisServer = await spawnRedisServer();
  proxy = await startHttpProxy({ username: 'polykeep', password: SECRETS.proxyPassword });
  started = [];
  told = '';
  await writeFile(join(folder, 'token'), TOKENS.file);
  await writeFile(join(folder, 'keys'), `web:write:${SECRETS.writeKey},bi:read:${SECRETS.readKey}\n`);
  await writeFile(join(folder, 'root'), `${SECRETS.webhooksRoot}\n`);
  await writeFile(
    join(folder, 'accounts.json'),
    JSON.stringify({
      accounts: [
        { name: 'env', token: { env: 'TOKEN_OF_ENV' }, baseUrl: polyai.url },
        { name: 'inline', token: TOKENS.inline, baseUrl: polyai.url },
        { name: 'file', api: 'agents', token: { file: 'token' }, baseUrl: agents.url, ...AGENT },
      ],
    }),
  );
});

afterEach(async () => {
  await Promise.all(started.map((sidecar) => sidecar.end('SIGTERM')));
  await Promise.all([polyai.stop(), agents.stop(), postgres.close(), redisServer.stop(), proxy.stop()]);
  const role = new URL(database.url).pathname.slice(1);
  await database.drop();
  const elsewhere = await createDatabase({ migrated: false });
  await elsewhere.query(`drop role ${role}`);
  await elsewhere.drop();
  await rm(folder, { recursive: true });
});

function start(more: Record<string, string> = {}, command = 'serve'): SidecarProcess {
  const redisUrl = Object.assign(new URL(redisServer.url), { password: SECRETS.redisPassword });
  const sidecar = spawnSidecar(
    {
      ...FAST,
      LOG_LEVEL: 'trace',
      LEASE_MS: '1000',
      POLYAI_BASE_URL: polyai.url,
      POLYAI_AUTH_TOKEN: TOKENS.default,
      TOKEN_OF_ENV: TOKENS.env,
      ACCOUNTS_FILE: join(folder, 'accounts.json'),
      API_KEYS_FILE: join(folder, 'keys'),
      DATABASE_URL: postgres.url,
      REDIS_URL: redisUrl.href,
      WEBHOOKS_SECRET_FILE: join(folder, 'root'),
      HTTP_PROXY: proxy.url,
      ...more,
    },
    command,
  );
  for (const stream of [sidecar.process.stdout, sidecar.process.stderr]) {
    stream?.on('data', (chunk) => {
      told += chunk;
    });
  }
  started.push(sidecar);
  return sidecar;
}

/** Sets what Redis asks of who connects, and has everybody connect anew. */
async function askPassword(password: string, now = ''): Promise<void> {
  const redis = new Redis(redisServer.url, now === '' ? {} : { password: now });
  await redis.config('SET', 'requirepass', password);
  await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  redis.disconnect();
}

async function ask(
  url: string,
  { method = 'GET', key = SECRETS.writeKey, headers = {}, body }: Ask = {},
): Promise<{ status: number; text: string }> {
  const response = await request(url, {
    method,
    headers: { authorization: `Bearer ${key}`, ...headers },
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.body.text();
  told += JSON.stringify(response.headers) + text;
  return { status: response.statusCode, text };
}

interface Ask {
  method?: 'GET' | 'POST';
  key?: string;
  headers?: Record<string, string>;
  body?: string;
}

const said = (pattern: RegExp) => expect.poll(() => pattern.test(told), { message: `${pattern}` }).toBe(true);
const json = { 'content-type': 'application/json' };
const echo = (secret: string) => `{"error":"${secret}","message":"the token ${secret} is none"}`;

it('no token, key or password is told to anybody, whatever goes wrong', async () => {
  await askPassword(SECRETS.redisPassword);
  const sidecar = start();
  const url = await sidecar.url();
  const follow = async (account: keyof typeof TOKENS): Promise<string> => {
    const simulator = account === 'file' ? agents : polyai;
    const callSid = simulator.place({ script: [{ status: 'queued', forMs: Infinity }] });
    const token = TOKENS[account];
    // The latest strikes first.
    const status = `{"status":"queued","reason":"${token}","of":{"${token}":["${token}"]}}`;
    simulator.misbehave({ kind: 'no-status', body: status }, { callSid });
    simulator.misbehave({ kind: 'half-json' }, { callSid, times: 1 });
    simulator.misbehave({ kind: 'status', code: 500, body: echo(token) }, { callSid, times: 1 });
    simulator.misbehave({ kind: 'no-status', body: echo(token) }, { callSid, times: 1 });
    const body = JSON.stringify({ callSid, account });
    const registered = await ask(`${url}/v1/calls`, { method: 'POST', headers: json, body });
    expect(registered.status).toBe(201);
    return callSid;
  };
  const call = async (callSid: string) => JSON.parse((await ask(`${url}/v1/calls/${callSid}`)).text);
  const accounts = ['default', 'env', 'inline', 'file'] as const;
  const callSids = await Promise.all(accounts.map(follow));
  for (const callSid of callSids) {
    await expect
      .poll(async () => (await call(callSid)).failedPolls, { interval: 200 })
      .toBeGreaterThanOrEqual(3);
  }

  // A receiver that repeats the secret, which nobody else is shown.
  const echoing = await startReceiver();
  const settings = { url: echoing.url, events: ['call.settled', 'call.transition'] };
  const made = await ask(`${url}/v1/webhooks`, {
    method: 'POST',
    headers: json,
    body: JSON.stringify(settings),
  });
  const { id, secret }: { id: string; secret: string } = JSON.parse(made.text);
  told = told.replace(secret, '');
  const key = secret.slice('whsec_'.length);
  Object.assign(echoing, { secret });
  echoing.answer = (_, response) => void response.writeHead(500).end(`${secret} is none, nor ${key}`);
  await ask(`${url}/v1/webhooks/${id}/test`, { method: 'POST' });
  const ended = polyai.place({ script: [{ status: 'success', forMs: Infinity }] });
  const ofEnded = JSON.stringify({ callSid: ended, account: 'default' });
  await ask(`${url}/v1/calls`, { method: 'POST', headers: json, body: ofEnded });
  await expect
    .poll(async () => (await ask(`${url}/v1/webhooks/${id}/deliveries`)).text, { interval: 200 })
    .toContain('[secret] is none');
  await ask(`${url}/v1/webhooks`);
  expect(secretsIn(told, { key })).toEqual([]);
  expect(secretsIn(await dumpDatabase(database), { key })).toEqual([]);
  await echoing.stop();

  // An account whose token is refused, with the token in the refusal.
  const [ofDefault = '', ofEnv = '', ofInline = ''] = callSids;
  polyai.misbehave({ kind: 'status', code: 401, body: echo(TOKENS.env) }, { callSid: ofEnv });
  await said(/account paused/);

  // Who has no key, or a wrong one, in whatever place.
  for (const path of ['/v1/calls', '/queues/', '/metrics', '/v1/stats', '/nowhere']) {
    await ask(`${url}${path}?key=${encodeURIComponent(SECRETS.wrongKey)}&api_key=${SECRETS.readKey}`, {
      key: SECRETS.wrongKey,
    });
  }
  await ask(`${url}/v1/calls`, { method: 'POST', key: SECRETS.readKey, headers: json, body: '{' });
  await ask(`${url}/v1/export`, { key: SECRETS.readKey });

  // The drop-in, with a caller's token.
  const dropIn = `${url}/v1/outbound-calling`;
  const bringing = (token: string) => ({ ...json, authorization: '', 'x-polyai-auth-token': token });
  const trigger = { method: 'POST', body: '{"to_number":"+15550100"}' } as const;
  for (const [token, callSid] of [
    [TOKENS.default, ofDefault],
    [TOKENS.inline, ofInline],
    [SECRETS.wrongToken, ofDefault],
  ] as const) {
    polyai.misbehaveTriggers({ kind: 'status', code: 500, body: echo(token) }, { times: 1 });
    for (let times = 0; times < 2; times++) await ask(dropIn, { ...trigger, headers: bringing(token) });
    await ask(`${dropIn}/${callSid}/status`, { headers: bringing(token) });
    await ask(`${dropIn}/OUT-none/status?token=${encodeURIComponent(token)}`, { headers: bringing(token) });
  }
  polyai.misbehave(
    { kind: 'status', code: 403, body: echo(TOKENS.inline) },
    { callSid: 'OUT-none', times: 1 },
  );
  const withKey = { 'x-polykeep-account': 'inline' };
  expect((await ask(`${dropIn}/OUT-none/status`, { headers: withKey })).text).toContain('[token]');

  const kept = await dumpDatabase(database);
  expect(kept).toContain('[token]');
  expect(secretsIn(kept, SECRETS)).toEqual([]);
  const redis = new Redis(redisServer.url, { password: SECRETS.redisPassword });
  const queued = await dumpRedis(redis);
  redis.disconnect();
  expect(queued).toContain(ofDefault);
  expect(secretsIn(queued, SECRETS)).toEqual([]);

  // Configurations that cannot be used, and one that can.
  const reads = () => sidecar.log.filter(({ msg }) => /^configuration (read|kept)/.test(msg)).length;
  const path = join(folder, 'accounts.json');
  const accountsOf = (token: unknown) => JSON.stringify({ accounts: [{ name: 'inline', token }] });
  for (const [index, text] of [
    `{ "accounts": [ { "token": "${TOKENS.inline}" `,
    accountsOf({ [SECRETS.newToken]: SECRETS.newToken }),
    accountsOf(`${SECRETS.newToken} and more`),
    accountsOf(SECRETS.newToken),
  ].entries()) {
    await writeFile(path, text);
    sidecar.process.kill('SIGHUP');
    await expect.poll(reads).toBe(index + 1);
  }

  // The proxy that all of it went through refuses, and goes.
  expect(proxy.asked.length).toBeGreaterThan(0);
  proxy.answer(407);
  await said(/PROXY_REFUSES: the proxy 127\.0\.0\.1:\d+ answers 407/);
  await proxy.stop();
  await said(/PROXY_UNREACHABLE: the proxy 127\.0\.0\.1:\d+: connect ECONNREFUSED/);

  // Redis and Postgres go, and come back with other passwords.
  await askPassword('another', SECRETS.redisPassword);
  await said(/WRONGPASS/);
  await redisServer.kill();
  await said(/ECONNREFUSED|Connection is closed/);
  redisServer = await spawnRedisServer({ port: redisServer.port });
  await said(/Redis is back/);
  const role = new URL(database.url).pathname.slice(1);
  await database.query(`alter role ${role} password 'another'`);
  await postgres.cut();
  await ask(`${url}/v1/calls`);
  await postgres.mend();
  await ask(`${url}/v1/calls`);
  await said(/password authentication failed/);
  expect(await sidecar.end('SIGTERM')).toBe(0);
  expect(secretsIn(told, SECRETS)).toEqual([]);
});

/** The same variables, each in a file. */
async function inFiles(secrets: Record<string, string>): Promise<Record<string, string>> {
  const given: Record<string, string> = {};
  for (const [name, secret] of Object.entries(secrets)) {
    const path = join(await mkdtemp(join(folder, 'secret-')), name);
    await writeFile(path, `${secret}\n`);
    Object.assign(given, { [name]: '', [`${name}_FILE`]: path });
  }
  return given;
}

it('nor is it by a start that fails', async () => {
  const wrong = Object.assign(new URL(inject('postgresUrl')), { password: SECRETS.postgresPassword }).href;
  const { writeKey, readKey, redisPassword, postgresPassword, proxyPassword } = SECRETS;
  const broken: [Record<string, string>, string?][] = [
    [
      {
        API_KEYS_FILE: '',
        API_KEYS: `${writeKey},a:write:${writeKey},a:read:${readKey}`,
        POLYAI_AUTH_TOKEN: `${TOKENS.default} and more`,
        DATABASE_URL: `mysql://a:${postgresPassword}@b/c`,
        REDIS_URL: `http://a:${redisPassword}@b/c`,
        HTTPS_PROXY: `socks5://a:${proxyPassword}@b`,
      },
    ],
    [{ API_KEYS_FILE: '', API_KEYS: `${writeKey},a:write:${writeKey},a:read:${readKey}` }],
    [{ API_KEYS: `a:write:${writeKey}` }],
    [
      await inFiles({
        API_KEYS: `${writeKey},a:write:${writeKey},a:read:${readKey}`,
        POLYAI_AUTH_TOKEN: `${TOKENS.default} and more`,
        DATABASE_URL: `mysql://a:${postgresPassword}@b/c`,
        REDIS_URL: `http://a:${redisPassword}@b/c`,
        HTTPS_PROXY: `socks5://a:${proxyPassword}@b`,
      }),
    ],
    [await inFiles({ DATABASE_URL: wrong }), 'migrate'],
    [{ REDIS_URL: `redis-sentinel://:${encodeURIComponent(redisPassword)}@h1,h2` }],
    [{ ACCOUNTS_FILE: join(folder, 'token') }],
    [{ DATABASE_URL: wrong }, 'migrate'],
    [{ DATABASE_URL: wrong }],
  ];
  await Promise.all(
    broken.map(async ([environment, command]) => {
      const sidecar = start(environment, command);
      expect(await sidecar.exited).toBe(1);
      expect(sidecar.stderr()).toMatch(/^polykeep: /);
    }),
  );
  expect(secretsIn(told, SECRETS)).toEqual([]);
});
