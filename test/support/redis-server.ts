import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';

const START_TIMEOUT_MS = 120_000;

export interface RedisServer {
  url: string;
  port: number;
  process: ChildProcess;
  /** Ends it, and waits until its port is free again. All that it held is gone. */
  stop(): Promise<void>;
  /** The same by `kill -9`: connections break without a word. */
  kill(): Promise<void>;
}

type RedisOptions = { port?: number; keepIn?: string } & Record<string, string | number>;

/**
 * A real, empty Redis from the PATH, on a free port or on the one given (as to come back after a restart), with more
 * of redis.conf's options where they are given. What it writes to disk goes with it, unless it is told where to keep it.
 */
export async function spawnRedisServer({
  port,
  keepIn,
  ...options
}: RedisOptions = {}): Promise<RedisServer> {
  const dir = keepIn ?? (await mkdtemp(join(tmpdir(), 'polykeep-redis-')));
  const at = port ?? (await freePort());
  const url = `redis://127.0.0.1:${at}`;
  const server = spawn('redis-server', optionsFor({ port: at, dir, ...options }), { stdio: 'ignore' });
  const ended = new Promise<string>((resolve) => {
    server.once('exit', (code, signal) => resolve(`it ended with ${signal ?? code}`));
    server.once('error', (error) => resolve(error.message));
  });

  async function end(signal: NodeJS.Signals): Promise<void> {
    server.kill(signal);
    await ended;
    if (keepIn === undefined) await rm(dir, { recursive: true, force: true });
  }

  try {
    await answering(url, dir, ended, options.requirepass);
  } catch (error) {
    await end('SIGKILL');
    throw error;
  }
  return { url, port: at, process: server, stop: () => end('SIGTERM'), kill: () => end('SIGKILL') };
}

function optionsFor(given: Record<string, string | number>): string[] {
  const options = {
    bind: '127.0.0.1',
    save: '',
    appendonly: 'no',
    'maxmemory-policy': 'noeviction',
    ...given,
  };
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]);
}

/** Waits until the server in this folder answers: on a port that is taken, another would. */
async function answering(
  url: string,
  dir: string,
  ended: Promise<string>,
  password: string | number = '',
): Promise<void> {
  const login = password === '' ? {} : { password: `${password}` };
  const redis = new Redis(url, { ...login, retryStrategy: () => 50, maxRetriesPerRequest: null });
  redis.on('error', () => {});
  const answer = redis.config('GET', 'dir').then(
    (found) => (`${found}`.endsWith(basename(dir)) ? 'ready' : 'another Redis has the port'),
    (error) => `${error}`,
  );
  const late = sleep(START_TIMEOUT_MS, `no answer within ${START_TIMEOUT_MS} ms`, { ref: false });
  try {
    const outcome = await Promise.race([answer, ended, late]);
    if (outcome !== 'ready') throw new Error(`redis-server did not start at ${url}: ${outcome}`);
  } finally {
    redis.disconnect();
  }
}
