import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { freePort } from '../test/support/free-port.ts';
import type { Bare } from './bare-process.ts';
import type { Bench } from './bench.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const UP_WITHIN_MS = 30_000;

/**
 * An `api` process that follows nothing. Its log goes to a file, one line for each request as ever: whoever read it
 * would take time from what is measured.
 */
export async function startApi(bench: Bench, databaseUrl: string, main = MAIN): Promise<Bare> {
  const port = await freePort();
  const log = await open(join(bench.folder, `api-${port}.log`), 'w');
  const child = spawn(process.execPath, [main, 'api'], {
    env: {
      PATH: process.env.PATH,
      DATABASE_URL: databaseUrl,
      REDIS_URL: (await bench.redisAsItIs()).url,
      POLYAI_AUTH_TOKEN: 'bench-token',
      POLYAI_BASE_URL: 'http://127.0.0.1:9',
      PORT: `${port}`,
    },
    stdio: ['ignore', log.fd, 'inherit'],
  });
  const exited = once(child, 'exit');
  const url = `http://127.0.0.1:${port}`;
  const deadline = performance.now() + UP_WITHIN_MS;
  while (!(await isUp(url))) {
    if (child.exitCode !== null || performance.now() > deadline) throw new Error('the api did not start');
    await sleep(50);
  }
  return {
    url,
    pid: child.pid ?? 0,
    async stop() {
      child.kill('SIGTERM');
      await exited;
      await log.close();
    },
  };
}

async function isUp(url: string): Promise<boolean> {
  return request(`${url}/health/live`).then(
    async ({ statusCode, body }) => {
      await body.dump();
      return statusCode === 200;
    },
    () => false,
  );
}
