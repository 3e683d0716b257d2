import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../src/embedded-postgres/embedded-postgres.ts';
import { freePort } from '../support/free-port.ts';

/** A process that does nothing but own a server, to be killed. */
const OWNER = `
  const { startEmbeddedPostgres } = await import(process.argv[1]);
  const { url } = await startEmbeddedPostgres({ dataDir: process.argv[2], log() {} });
  console.log(url);
`;
const EMBEDDED_POSTGRES = new URL('../../src/embedded-postgres/embedded-postgres.ts', import.meta.url).href;
const IN_USE = { code: 'data_dir_in_use' };

type Child = ChildProcessByStdio<null, Readable, null>;

let dataDir: string;
let pidFile: string;
let starts: Promise<EmbeddedPostgres>[];
let children: Child[];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'polykeep-embedded-'));
  pidFile = join(dataDir, 'postgres', 'postmaster.pid');
  starts = [];
  children = [];
});

afterEach(async () => {
  await Promise.all(children.map(kill));
  await Promise.allSettled(starts.map(async (started) => (await started).stop()));
  // Not by the code under test: what it failed to stop must not outlive the test.
  const left = await postmasterPid().catch(() => 0);
  if (left > 0 && (await lives(left))) {
    process.kill(left, 'SIGQUIT');
    await expect.poll(() => lives(left)).toBe(false);
  }
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
});

function start(folder = dataDir, port: number | null = null): Promise<EmbeddedPostgres> {
  const started = startEmbeddedPostgres({ dataDir: folder, port, log: () => {} });
  starts.push(started);
  return started;
}

function spawnChild(program: string, args: string[], ids: { uid?: number; gid?: number } = {}): Child {
  // A process group of its own, so that it can be killed with all that it started.
  const child = spawn(program, args, {
    ...ids,
    detached: true,
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
}

const spawnOwner = () =>
  spawnChild(process.execPath, ['--input-type=module', '-e', OWNER, EMBEDDED_POSTGRES, dataDir]);

async function kill(child: Child): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  process.kill(-child.pid, 'SIGKILL');
  await exited;
}

/** A server whose owner was killed: its URL. */
async function orphan(): Promise<string> {
  const owner = spawnOwner();
  const { value: url } = await createInterface(owner.stdout)[Symbol.asyncIterator]().next();
  if (url === undefined) throw new Error('the process that was to own the server has ended');
  await kill(owner);
  return url;
}

async function killInInitdb(): Promise<void> {
  const owner = spawnOwner();
  const files = async () => (await readdir(dataDir, { recursive: true })).join('\n');
  await expect.poll(() => files().catch(() => ''), { interval: 5 }).toMatch(/PG_VERSION$/m);
  await kill(owner);
}

/** The server is gone as well, with its `postmaster.pid` left behind; that now says `pid`. */
async function losePower(pid: number): Promise<void> {
  const postmaster = await postmasterPid();
  process.kill(postmaster, 'SIGKILL');
  await expect.poll(() => lives(postmaster)).toBe(false);
  const [, ...rest] = (await readFile(pidFile, 'utf8')).split('\n');
  await writeFile(pidFile, [pid, ...rest].join('\n'));
}

async function postmasterPid(file = pidFile): Promise<number> {
  return Number((await readFile(file, 'utf8')).split('\n')[0]);
}

/** Not one that has ended without being waited for, as under a container's first process that waits for nobody. */
async function lives(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return !/\) Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''));
}

/** A process of the user that Postgres runs as, but no Postgres. */
async function foreignProcess(): Promise<number> {
  const { uid, gid } = await stat(join(dataDir, 'postgres'));
  return spawnChild('sleep', ['600'], { uid, gid }).pid ?? 0;
}

async function serverOfAnotherFolder(): Promise<number> {
  await start(join(dataDir, 'another'));
  return postmasterPid(join(dataDir, 'another', 'postgres', 'postmaster.pid'));
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

const keep = (url: string, what: string) => query(url, `create table kept as select '${what}' as what`);
const kept = (url: string) => query(url, 'select what from kept');

it('an empty folder becomes a database, and what was committed just before a stop is there later', async () => {
  const first = await start();
  await keep(first.url, 'a call');
  await first.stop();
  const second = await start();
  expect(await kept(second.url)).toEqual([{ what: 'a call' }]);
  expect(new URL(second.url).password).toBe(new URL(first.url).password);
  const file = join(dataDir, 'database-url');
  expect(await readFile(file, 'utf8')).toBe(`${second.url}\n`);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

it('stop called again does no harm, not even to the server of the next start', async () => {
  const first = await start();
  await Promise.all([first.stop(), first.stop()]);
  await expect(access(pidFile)).rejects.toThrow('ENOENT');
  const second = await start();
  await first.stop();
  expect(await query(second.url, 'select 1 as one')).toEqual([{ one: 1 }]);
});

it('a server that ends without us is started again, on its port, with what it had', async () => {
  const { url, stop } = await start();
  await keep(url, 'a call');
  const killed = await postmasterPid(pidFile);
  process.kill(killed, 'SIGKILL');
  await expect.poll(() => kept(url).catch(() => 'away')).toEqual([{ what: 'a call' }]);
  expect(await postmasterPid(pidFile)).not.toBe(killed);
  await stop();
  await expect(access(pidFile)).rejects.toThrow('ENOENT');
});

it('a server that ends while it is stopped is not started again', async () => {
  const { stop } = await start();
  process.kill(await postmasterPid(pidFile), 'SIGKILL');
  await stop();
  const left = await postmasterPid(pidFile).catch(() => 0);
  if (left > 0) expect(() => process.kill(left, 0)).toThrow('ESRCH');
});

describe('the port', () => {
  const portOf = ({ url }: EmbeddedPostgres) => Number(new URL(url).port);

  /** Of another program. */
  async function occupy(port: number): Promise<Server> {
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    return server;
  }

  it('is the same at each start, and one that was configured is kept', async () => {
    const first = await start();
    const chosen = portOf(first);
    await first.stop();
    const second = await start();
    expect(portOf(second)).toBe(chosen);
    await second.stop();
    const configured = await freePort();
    const third = await start(dataDir, configured);
    expect(portOf(third)).toBe(configured);
    await third.stop();
    expect(portOf(await start())).toBe(configured);
  });

  it('is the same for the start after kill -9', async () => {
    const left = await orphan();
    expect((await start()).url).toBe(left);
  });

  it('that another program has is named, with what to do, and is waited for a while', async () => {
    const first = await start();
    const port = portOf(first);
    await first.stop();
    const other = await occupy(port);
    await expect(start()).rejects.toMatchObject({
      code: 'embedded_port_taken',
      message: expect.stringMatching(
        new RegExp(`^EMBEDDED_POSTGRES_PORT: port ${port} .*${dataDir}.* set EMBEDDED_POSTGRES_PORT to`),
      ),
    });
    const waiting = start();
    await sleep(300);
    await new Promise((done) => other.close(done));
    expect(portOf(await waiting)).toBe(port);
  });
});

describe('a folder in use', () => {
  it('is refused, and its owner goes on', async () => {
    const { url } = await start();
    await keep(url, 'a call');
    await expect(start()).rejects.toMatchObject({ ...IN_USE, name: 'DataDirInUseError' });
    expect(await kept(url)).toEqual([{ what: 'a call' }]);
  });

  it('is still refused after the connection that says so broke', async () => {
    const { url } = await start();
    const holders = `select pid from pg_locks where locktype = 'advisory'`;
    const [before] = await query(url, holders);
    const owner = `from pg_stat_activity where application_name = 'polykeep owner'`;
    const broken = await query(url, `select pg_terminate_backend(pid) as broken ${owner}`);
    expect(broken).toEqual([{ broken: true }]);
    await expect.poll(() => query(url, `${holders} and pid <> ${before?.pid}`)).toHaveLength(1);
    await expect(start()).rejects.toMatchObject(IN_USE);
    expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });
});

describe('after kill -9', () => {
  it('the server left behind is replaced, with nothing lost', async () => {
    const left = await orphan();
    const pid = await postmasterPid();
    await keep(left, 'a call');
    const { url } = await start();
    expect(await kept(url)).toEqual([{ what: 'a call' }]);
    await expect.poll(() => lives(pid)).toBe(false);
    expect(await postmasterPid()).not.toBe(pid);
  });

  it('in the middle of initdb the next start begins anew, and what is left goes after an hour', async () => {
    const unfinished = async () => (await readdir(dataDir)).filter((name) => name.includes('unfinished'));
    // Where the kill came late, initdb was through, and all begins anew.
    while ((await unfinished()).length === 0) {
      await rm(join(dataDir, 'postgres'), { recursive: true, force: true });
      await killInInitdb();
    }
    const [left = ''] = await unfinished();
    const age = (minutes: number) => {
      const then = new Date(Date.now() - minutes * 60_000);
      return utimes(join(dataDir, left), then, then);
    };

    await age(59);
    const first = await start();
    await keep(first.url, 'a call');
    await first.stop();
    expect(await unfinished()).toEqual([left]);

    await age(61);
    expect(await kept((await start()).url)).toEqual([{ what: 'a call' }]);
    expect(await unfinished()).toEqual([]);
  });
});

describe('after a power loss', () => {
  it.each([
    ['no process', async () => spawnSync('true').pid],
    ['another program', foreignProcess],
    ['the Postgres of another folder', serverOfAnotherFolder],
  ])('a postmaster.pid that names %s does not keep the next start', async (_, named) => {
    await keep(await orphan(), 'a call');
    await losePower(await named());
    expect(await kept((await start()).url)).toEqual([{ what: 'a call' }]);
  });

  it('an empty postmaster.pid does not keep the next start', async () => {
    await (await start()).stop();
    await writeFile(pidFile, '');
    await utimes(pidFile, 0, 0);
    expect(await query((await start()).url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });
});

describe('of two starts at once, one wins', () => {
  it.each([
    ['on an empty folder', async () => {}],
    ['after kill -9', orphan],
    ['after a power loss', () => orphan().then(foreignProcess).then(losePower)],
  ])('%s', async (_, before) => {
    await before();
    const both = await Promise.allSettled([start(), start()]);
    const lost = both.filter((result) => result.status === 'rejected');
    expect(lost).toEqual([{ status: 'rejected', reason: expect.objectContaining(IN_USE) }]);
    const won = both.find((result) => result.status === 'fulfilled');
    expect(await query(won?.value.url ?? '', 'select 1 as one')).toEqual([{ one: 1 }]);
  });
});

it('as root, a folder that Postgres cannot get to is refused by name, and one of mkdtemp is opened', async ({
  skip,
}) => {
  skip(process.getuid?.() !== 0, 'not root: Postgres runs as the same user and gets wherever we do');
  expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
  await expect(start(join(dataDir, 'below'))).rejects.toMatchObject({
    name: 'DataDirNotReachableError',
    code: 'data_dir_not_reachable',
    message: expect.stringContaining(`cannot get through ${dataDir} to ${join(dataDir, 'below')}`),
  });
  expect(await query((await start()).url, 'select 1 as one')).toEqual([{ one: 1 }]);
});

describe('what Postgres says when it fails is in the error, and no server is left running:', () => {
  it.each([
    ['files of another version', 'postgres/PG_VERSION', '9.6\n', /incompatible with server/],
    ['a password that is not its own', 'postgres-password', 'wrong', /password authentication failed/],
  ])('%s', async (_, file, content, said) => {
    await (await start()).stop();
    await writeFile(join(dataDir, file), content);
    await expect(start()).rejects.toMatchObject({
      name: 'EmbeddedPostgresError',
      code: 'embedded_postgres_failed',
      message: expect.stringMatching(said),
    });
    await expect(access(pidFile)).rejects.toThrow('ENOENT');
  });
});
