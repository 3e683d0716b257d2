import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { client } from '../support/client.ts';
import { FAST, type SidecarProcess, spawnByShell } from '../support/sidecar.ts';

/** What becomes of a process that may open 256 files, as some shells and service managers have it. */

const LIMIT = 256;
/** On SIGUSR2 it opens files until none can be opened any more, and closes them 5 s later. */
const OPENS_ALL = `
  import { openSync, closeSync } from 'node:fs';
  process.on('SIGUSR2', () => {
    const files = [];
    try { for (;;) files.push(openSync('/dev/null', 'r')); } catch (error) { console.error(error.code); }
    setTimeout(() => files.forEach((file) => closeSync(file)), 5000);
  });`;

let simulator: Simulator;
let dataDir: string;
let sidecar: SidecarProcess;
let url: string;
let sockets: Socket[];

beforeEach(async () => {
  simulator = await startSimulator({ token: FAST.POLYAI_AUTH_TOKEN });
  dataDir = await mkdtemp(join(tmpdir(), 'polykeep-files-'));
  const opensAll = `--import=data:text/javascript,${encodeURIComponent(OPENS_ALL)}`;
  sidecar = spawnByShell(
    { ...FAST, POLYAI_BASE_URL: simulator.url, DATA_DIR: dataDir, NODE_OPTIONS: opensAll },
    `ulimit -n ${LIMIT}`,
  );
  url = await sidecar.url();
  sockets = [];
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await sidecar.end('SIGTERM');
  await simulator.stop();
  await rm(dataDir, { recursive: true, force: true });
});

/** Calls that go on for longer than the test. */
async function follow(count: number): Promise<void> {
  const callSids = Array.from({ length: count }, () =>
    simulator.place({ script: [{ status: 'queued', forMs: Number.POSITIVE_INFINITY }] }),
  );
  await client(url).post('/v1/calls/batch', { calls: callSids.map((callSid) => ({ callSid })) });
  await expect.poll(() => simulator.journal.total).toBeGreaterThan(count);
}

/** Connections that say nothing; those that are refused are closed again at once. */
async function crowd(count: number): Promise<void> {
  const { port } = new URL(url);
  sockets = Array.from({ length: count }, () => connect(Number(port), '127.0.0.1').on('error', () => {}));
  await Promise.all(sockets.map((socket) => Promise.race([once(socket, 'connect'), once(socket, 'close')])));
}

const isAnswered = async (path: string) =>
  request(`${url}${path}`).then(
    async ({ statusCode, body }) => {
      await body.dump();
      return statusCode === 200;
    },
    () => false,
  );

const pollsWithin = async (ms: number) => {
  const before = simulator.journal.total;
  await sleep(ms);
  return simulator.journal.total - before;
};

const said = (msg: RegExp) => sidecar.log.filter((line) => msg.test(line.msg));

describe('400 idle connections', () => {
  it('keep nobody out for long, and no call from being followed', async () => {
    await follow(20);
    await crowd(400);
    expect(await pollsWithin(3_000)).toBeGreaterThan(20);
    expect(sidecar.process.exitCode).toBeNull();
    await expect.poll(() => isAnswered('/health/ready'), { interval: 200 }).toBe(true);
    expect(await isAnswered('/metrics')).toBe(true);
    for (const socket of sockets) socket.destroy();
    expect(await isAnswered('/v1/calls')).toBe(true);
    await expect.poll(() => said(/connections are taken again/)).toHaveLength(1);
    expect(said(/connections are refused/)).toMatchObject([{ open: (LIMIT - 80) / 2 }]);
    expect(said(/./).filter(({ err }) => err !== undefined)).toEqual([]);
    expect(await sidecar.end('SIGTERM')).toBe(0);
  });
});

describe('not one more file', () => {
  it('ends nothing: calls are followed on, and what could not be opened is when it can', async () => {
    await follow(20);
    sidecar.process.kill('SIGUSR2');
    await expect.poll(() => sidecar.stderr()).toContain('EMFILE');
    const asked = ['/metrics', '/health/ready', '/v1/calls', '/v1/export', '/docs'].map(isAnswered);
    expect(await pollsWithin(3_000)).toBeGreaterThan(20);
    await Promise.all(asked);
    await sleep(3_000);
    for (const path of ['/metrics', '/health/ready', '/v1/calls', '/v1/export']) {
      await expect.poll(() => isAnswered(path)).toBe(true);
    }
    expect(await sidecar.end('SIGTERM')).toBe(0);
  });
});
