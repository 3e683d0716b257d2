import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync } from 'node:fs';
import { access, chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { client } from '../support/client.ts';
import { environmentOf, MAIN, runPolykeep } from '../support/command-line.ts';
import { freePort } from '../support/free-port.ts';
import { isOnPath } from '../support/redis-choice.ts';
import { FAST, type SidecarProcess, spawnByShell, spawnSidecar } from '../support/sidecar.ts';

/** polykeep as a person runs it: a process, with nothing configured but PolyAI. */

/** The user of that name on Linux. */
const NOBODY = 65_534;

let simulator: Simulator;
let dataDir: string;
let started: SidecarProcess[];

beforeEach(async () => {
  simulator = await startSimulator({ token: FAST.POLYAI_AUTH_TOKEN });
  dataDir = await mkdtemp(join(tmpdir(), 'polykeep-process-'));
  started = [];
});

afterEach(async () => {
  await Promise.all(started.map((sidecar) => sidecar.end('SIGTERM')));
  await simulator.stop();
  await rm(dataDir, { recursive: true, force: true });
});

function start(more: Record<string, string> = {}, command?: string): SidecarProcess {
  const sidecar = spawnSidecar(
    { ...FAST, POLYAI_BASE_URL: simulator.url, DATA_DIR: dataDir, ...more },
    command,
  );
  started.push(sidecar);
  return sidecar;
}

const place = (count: number, endsAfterMs: number) =>
  Array.from({ length: count }, () =>
    simulator.place({
      script: [
        { status: 'queued', forMs: endsAfterMs / 2 },
        { status: 'calling', forMs: endsAfterMs / 2 },
        { status: 'success', forMs: 0 },
      ],
    }),
  );

describe('kill -9', () => {
  it('in the middle loses no call: the next start brings them all to their end, none twice', async () => {
    const first = start();
    const { post, list } = client(await first.url());
    const callSids = Array.from({ length: 200 }, () =>
      simulator.place({ script: [{ status: 'queued', forMs: Infinity }] }),
    );
    const moved = callSids.slice(0, 100);
    await post('/v1/calls/batch', { calls: callSids.map((callSid) => ({ callSid })) });
    await expect.poll(async () => (await list('status=queued')).length).toBe(200);
    for (const callSid of moved) simulator.setStatus(callSid, 'calling');
    const seen = () =>
      moved.filter((callSid) => simulator.journal.shownStatuses(callSid).includes('calling'));
    // Of the others some are being asked for, and what some show is being written.
    await expect.poll(() => seen().length).toBeGreaterThan(20);
    expect(await first.end('SIGKILL')).toBeNull();

    const polykeep = client(await start().url());
    const before = callSids.map((callSid) => simulator.journal.count(callSid));
    const asked = () => callSids.filter((callSid, n) => simulator.journal.count(callSid) > (before[n] ?? 0));
    await expect.poll(() => asked().length).toBe(200);
    for (const callSid of callSids) simulator.setStatus(callSid, 'success');
    await expect.poll(async () => (await polykeep.list('outcome=success')).length).toBe(200);
    for (const { callSid, transitions } of await polykeep.list()) {
      const life = moved.includes(callSid) ? ['queued', 'calling', 'success'] : ['queued', 'success'];
      expect(transitions.map(({ seq, status }) => `${seq} ${status}`)).toEqual(
        life.map((status, index) => `${index + 1} ${status}`),
      );
    }
  });
});

describe('SIGTERM', () => {
  it('hands everything back, writes what was seen, and exits with 0', async () => {
    const sidecar = start();
    const polykeep = client(await sidecar.url());
    const callSids = place(50, 60_000);
    await polykeep.post('/v1/calls/batch', { calls: callSids.map((callSid) => ({ callSid })) });
    await expect.poll(() => simulator.journal.total).toBeGreaterThan(100);
    expect(await sidecar.end('SIGTERM')).toBe(0);
    expect(sidecar.log.at(-1)).toMatchObject({ msg: 'polykeep stopped' });

    const asked = simulator.journal.total;
    const again = client(await start({ POLL_INTERVAL_MIN_MS: '60000', POLL_INTERVAL_MAX_MS: '60000' }).url());
    const written = (await again.list()).reduce((polls, call) => polls + call.polls, 0);
    // What was in flight was cut off, and is asked again.
    expect(written).toBeGreaterThanOrEqual(asked - 50);
  });

  it('waits a moment for answers on their way; a second time exits at once, with 1', async () => {
    const sidecar = start();
    const polykeep = client(await sidecar.url());
    simulator.misbehave({ kind: 'hang' });
    for (const callSid of place(1, 60_000)) await polykeep.register(callSid);
    await expect.poll(() => simulator.openRequests()).toBe(1);
    const again = setInterval(() => sidecar.process.kill('SIGTERM'), 50);
    expect(await sidecar.end('SIGTERM').finally(() => clearInterval(again))).toBe(1);
    expect(sidecar.log.at(-1)).toMatchObject({ msg: 'polykeep stops' });
  });

  it('that npm passes on beside the terminal is one, not two', async () => {
    const sidecar = start();
    const polykeep = client(await sidecar.url());
    for (const callSid of place(20, 60_000)) await polykeep.register(callSid);
    await expect.poll(() => simulator.journal.total).toBeGreaterThan(20);
    sidecar.process.kill('SIGINT');
    expect(await sidecar.end('SIGINT')).toBe(0);
    expect(sidecar.log.at(-1)).toMatchObject({ msg: 'polykeep stopped' });
  });

  it('keeps what a poll on its way then still shows', async () => {
    const sidecar = start();
    const polykeep = client(await sidecar.url());
    const callSid = simulator.place({ script: [{ status: 'success', forMs: 0 }] });
    simulator.misbehave({ kind: 'delay', ms: 1_000 });
    await polykeep.register(callSid);
    await expect.poll(() => simulator.openRequests()).toBe(1);
    expect(await sidecar.end('SIGTERM')).toBe(0);
    const again = client(await start().url());
    expect(await again.call(callSid)).toMatchObject({ outcome: 'success', polls: 1 });
    expect(simulator.journal.total).toBe(1);
  });

  it('is not held up by a Postgres that is waited for at the start', async () => {
    const sidecar = start({ DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing' });
    await expect.poll(() => sidecar.log.map(({ msg }) => msg)).toContain('Postgres does not answer yet');
    expect(await sidecar.end('SIGTERM')).toBe(0);
    expect(sidecar.log.at(-1)).toMatchObject({ msg: 'polykeep stopped' });
  });

  it('is not held up by a connection without a request', async () => {
    const sidecar = start();
    const socket = connect(Number(new URL(await sidecar.url()).port), '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write('GET /health/live HTTP/1.1\r\nHost: ');
    expect(await sidecar.end('SIGTERM')).toBe(0);
    socket.destroy();
  });

  it('exits with 0 while PolyAI hangs', async () => {
    const sidecar = start();
    simulator.misbehave({ kind: 'hang' });
    const polykeep = client(await sidecar.url());
    for (const callSid of place(20, 60_000)) await polykeep.register(callSid);
    await expect.poll(() => simulator.journal.total).toBeGreaterThan(10);
    expect(await sidecar.end('SIGTERM')).toBe(0);
  });
});

describe('the log', () => {
  it('is one JSON line for each event, with the callSid as a field and never the token', async () => {
    const sidecar = start({ LOG_LEVEL: 'trace' });
    const polykeep = client(await sidecar.url());
    const [callSid = ''] = place(1, 500);
    simulator.misbehave(
      { kind: 'status', code: 400, body: `{"error":"${FAST.POLYAI_AUTH_TOKEN}"}` },
      { times: 1 },
    );
    await polykeep.register(callSid);
    await expect.poll(async () => (await polykeep.call(callSid)).outcome).toBe('success');
    await sidecar.end('SIGTERM');
    const transitions = sidecar.log.filter(({ msg }) => msg === 'transition');
    expect(transitions.at(-1)).toMatchObject({ callSid, account: 'default', status: 'success' });
    expect(transitions.at(-1)).toMatchObject({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    });
    expect(JSON.stringify(sidecar.log) + sidecar.stderr()).not.toContain(FAST.POLYAI_AUTH_TOKEN);
  });
});

describe.skipIf(!isOnPath('script'))('on a terminal', () => {
  it('the log is for people', async () => {
    const command = `exec '${process.execPath}' '${MAIN}' serve`;
    const environment = { ...FAST, POLYAI_BASE_URL: simulator.url, DATA_DIR: dataDir, NO_COLOR: '1' };
    const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
      env: environmentOf(environment),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ended = once(child, 'close');
    let said = '';
    child.stdout.on('data', (chunk) => {
      said += chunk;
    });
    await expect.poll(() => said).toMatch(/^\[\d\d:\d\d:\d\d\] INFO: polykeep runs\r?\n +role: "serve"\r?$/m);
    // Ctrl-C.
    child.stdin.write('\x03');
    expect(await ended).toEqual([0, null]);
    expect(said).toMatch(/INFO: polykeep stopped/);
  });
});

describe('the reader of the log', () => {
  let pipe: string;
  let reader: number;
  let port: number;

  beforeEach(async () => {
    pipe = join(dataDir, 'log');
    await promisify(execFile)('mkfifo', [pipe]);
    reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    port = await freePort();
  });

  /** polykeep with its standard output in a pipe that nobody reads from, when more was written than the pipe holds. */
  async function startUnread(): Promise<SidecarProcess> {
    const environment = { ...FAST, POLYAI_BASE_URL: simulator.url, DATA_DIR: dataDir };
    const sidecar = spawnByShell({ ...environment, PORT: `${port}`, LOG_LEVEL: 'trace' }, `exec >'${pipe}'`);
    started.push(sidecar);
    await expect.poll(() => isLive(), { interval: 100 }).toBe(true);
    for (let count = 0; count < 1_000; count++) expect(await isLive()).toBe(true);
    return sidecar;
  }

  const isLive = () =>
    request(`http://127.0.0.1:${port}/health/live`).then(
      async ({ statusCode, body }) => {
        await body.dump();
        return statusCode === 200;
      },
      () => false,
    );

  it('that has stopped reading holds up neither requests nor the end', async () => {
    const sidecar = await startUnread();
    const stoppedAt = performance.now();
    expect(await sidecar.end('SIGTERM')).toBe(0);
    expect(performance.now() - stoppedAt).toBeLessThan(10_000);
    closeSync(reader);
  });

  it('that has gone does so neither', async () => {
    const sidecar = await startUnread();
    closeSync(reader);
    for (let count = 0; count < 100; count++) expect(await isLive()).toBe(true);
    expect(await sidecar.end('SIGTERM')).toBe(0);
  });

  it('and of its errors: a start that fails ends all the same', async () => {
    const environment = { ...FAST, POLYAI_BASE_URL: simulator.url, PORT: 'eighty' };
    const filled = `exec 2>'${pipe}'; head -c 65536 /dev/zero >&2`;
    const sidecar = spawnByShell(environment, filled);
    expect(await sidecar.exited).toBe(1);
    closeSync(reader);
  });
});

it('keys that are changed are told to count from the next start on', async () => {
  const file = join(dataDir, 'keys');
  await writeFile(file, 'me:write:a-key-of-sixteen-characters');
  const sidecar = start({ API_KEYS_FILE: file, WEBHOOKS_SECRET: 'a-root-of-secrets-that-is-long-enough' });
  await sidecar.url();
  await writeFile(file, 'me:write:another-key-of-some-length');
  sidecar.process.kill('SIGHUP');
  await expect
    .poll(() => sidecar.log.map(({ msg }) => msg))
    .toContain('API_KEYS have changed: the old ones count until polykeep is restarted');
});

describe('bad configuration', () => {
  it('is one plain line for each problem, and exit code 1, before anything starts', async () => {
    const sidecar = start({ PORT: 'eighty', LEASE_MS: '-1' });
    expect(await sidecar.exited).toBe(1);
    const lines = sidecar.stderr().trim().split('\n').sort();
    expect(lines).toEqual([
      expect.stringMatching(/^polykeep: LEASE_MS: /),
      expect.stringMatching(/^polykeep: PORT: /),
    ]);
    expect(sidecar.log).toEqual([]);
  });

  it.each([
    ['an unknown command', {}, 'fly', /unknown command fly/],
    [
      'a port that is taken',
      { PORT: 'SIMULATOR' },
      'serve',
      /^polykeep: PORT: \d+ on 127\.0\.0\.1 is taken by another program: .*EADDRINUSE/,
    ],
    [
      'a host that is none of this machine',
      { HOST: '192.0.2.1', API_KEYS: 'me:write:a-key-of-sixteen-characters' },
      'serve',
      /^polykeep: HOST: 192\.0\.2\.1 is no address of this machine .*EADDRNOTAVAIL/,
    ],
    [
      'a data folder that cannot be written to',
      { DATA_DIR: '/dev/null/data' },
      'serve',
      /^polykeep: DATA_DIR: \/dev\/null\/data cannot be used: ENOTDIR: .*; set DATA_DIR to a folder/,
    ],
    ['a worker without what it shares', {}, 'worker', /REDIS_URL/],
    [
      'a database that is not there',
      { DATABASE_URL: 'POSTGRES' },
      'migrate',
      /^polykeep: DATABASE_URL: Postgres at \S+ \(database "nowhere", user "\w+"\): database "nowhere" does not exist$/m,
    ],
  ])('%s is a plain line too', async (_, more, command, message) => {
    const known = new Map([
      ['SIMULATOR', new URL(simulator.url).port],
      ['POSTGRES', Object.assign(new URL(inject('postgresUrl')), { pathname: 'nowhere' }).href],
    ]);
    const environment = Object.fromEntries(
      Object.entries(more).map(([name, value]) => [name, known.get(value) ?? value]),
    );
    const sidecar = start(environment, command);
    expect(await sidecar.exited).toBe(1);
    expect(sidecar.stderr()).toMatch(message);
    expect(sidecar.stderr()).not.toMatch(/\n\s+at /);
  });

  it('an option of another command is one too, and --help shows what there is', async () => {
    const refused = await runPolykeep(['serve', '--port', '9000'], {});
    expect(refused).toMatchObject({
      code: 1,
      stderr: 'polykeep: serve takes no --port: it is configured by variables, as PORT, which README lists\n',
    });
    for (const command of ['serve', 'check', 'track']) {
      const helped = await runPolykeep([command, '--help'], {});
      expect(helped).toMatchObject({ code: 0, stdout: expect.stringMatching(/^usage: polykeep COMMAND/) });
    }
  });

  it('a data folder that its user may not write to is a plain line too', async () => {
    await chmod(dataDir, 0o555);
    // Root may write anywhere.
    const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
    const child = spawn(process.execPath, [MAIN, 'serve'], {
      ...user,
      env: environmentOf({ ...FAST, DATA_DIR: join(dataDir, 'data') }),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
    expect({ code, said }).toEqual({
      code: 1,
      said: expect.stringMatching(
        /^polykeep: DATA_DIR: \S+\/data cannot be used: EACCES: [^\n]*; set DATA_DIR to a folder that this user may write to[^\n]*\n$/,
      ),
    });
  });

  it('a data folder that another polykeep uses is refused, and the other goes on', async () => {
    const polykeep = client(await start().url());
    const second = start();
    expect(await second.exited).toBe(1);
    expect(second.stderr()).toMatch(/^polykeep: DATA_DIR: .* is in use by another polykeep/);
    expect(await polykeep.get('/health/ready')).toMatchObject({ status: 'ok' });
  });
});

it('an embedded database that is newer is refused with a plain line, and its Postgres stopped again', async () => {
  const polykeep = start();
  await polykeep.url();
  const sql = new Client({
    connectionString: (await readFile(join(dataDir, 'database-url'), 'utf8')).trim(),
  });
  await sql.connect();
  await sql.query(
    `insert into polykeep_internal.migrations (hash, created_at) values ('of a later version', 4e12)`,
  );
  await sql.end();
  expect(await polykeep.end('SIGTERM')).toBe(0);

  const refused = start();
  expect(await refused.exited).toBe(1);
  expect(refused.stderr()).toMatch(/^polykeep: the database is newer than this polykeep: [^\n]+\n$/);
  await expect(access(join(dataDir, 'postgres', 'postmaster.pid'))).rejects.toThrow('ENOENT');
});

it('the embedded database can be asked by SQL, with the URL beside the data', async () => {
  const polykeep = client(await start().url());
  await polykeep.register('sql');
  const url = (await readFile(join(dataDir, 'database-url'), 'utf8')).trim();
  const sql = new Client({ connectionString: url });
  await sql.connect();
  try {
    const { rows } = await sql.query('select call_sid from polykeep.calls');
    expect(rows).toEqual([{ call_sid: 'sql' }]);
  } finally {
    await sql.end();
  }
});
