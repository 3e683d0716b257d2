import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Step } from '../../src/simulator/life.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { client } from '../support/client.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { FAST, type SidecarProcess, spawnSidecar } from '../support/sidecar.ts';

const LIFE: Step[] = [
  { status: 'queued', forMs: 400 },
  { status: 'success', forMs: 0 },
];
const ONGOING: Step[] = [{ status: 'queued', forMs: Infinity }];
const AGENT = { agentId: 'agent-1', environment: 'live' };
const NAMES = ['us', 'uk', 'agent'] as const;
type Name = (typeof NAMES)[number];

let folder: string;
let path: string;
let simulators: Record<Name, Simulator>;
let tokens: Record<Name, string>;
let database: TestDatabase;
let sidecar: SidecarProcess;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'polykeep-accounts-'));
  path = join(folder, 'accounts.json');
  tokens = { us: 'the-token-of-us', uk: 'the-token-of-uk', agent: 'the-token-of-the-agent' };
  simulators = {
    us: await startSimulator({ token: tokens.us }),
    uk: await startSimulator({ token: tokens.uk, style: 'mid-2026' }),
    agent: await startSimulator({ token: tokens.agent, style: 'agents' }),
  };
  database = await createDatabase();
  await writeAccounts();
  const { POLYAI_AUTH_TOKEN: _, ...fast } = FAST;
  sidecar = spawnSidecar({ ...fast, LEASE_MS: '2000', ACCOUNTS_FILE: path, DATABASE_URL: database.url });
});

afterEach(async () => {
  await sidecar.end('SIGTERM');
  for (const name of NAMES) await simulators[name].stop();
  await database.drop();
  await rm(folder, { recursive: true });
});

async function writeAccounts(only: readonly Name[] = NAMES): Promise<void> {
  const accounts = only.map((name) => ({
    name,
    baseUrl: simulators[name].url,
    token: tokens[name],
    ...(name === 'agent' ? { api: 'agents', ...AGENT } : {}),
  }));
  await writeFile(path, JSON.stringify({ accounts }));
}

async function reread(): Promise<void> {
  const before = reads();
  sidecar.process.kill('SIGHUP');
  await expect.poll(reads).toBe(before + 1);
}

const reads = () => sidecar.log.filter(({ msg }) => /^configuration (read again|kept)/.test(msg)).length;

describe('three accounts, two of one API and one of the other', () => {
  it('are followed side by side; one whose token is revoked waits alone, until SIGHUP brings a new one', async () => {
    const polykeep = client(await sidecar.url());
    const ready = async () => await polykeep.get('/health/ready');
    const place = async (account: Name, script = LIFE) => {
      const callSid = simulators[account].place({ script });
      expect((await polykeep.post('/v1/calls', { callSid, account })).status).toBe(201);
      return callSid;
    };
    for (const name of NAMES) await place(name);
    await expect.poll(async () => (await polykeep.list('outcome=success')).length).toBe(3);

    const waiting = await place('uk', ONGOING);
    await expect.poll(async () => (await polykeep.call(waiting)).status).toBe('queued');
    simulators.uk.setToken('a-new-token-of-uk');
    await expect.poll(ready).toMatchObject({
      status: 'degraded',
      parts: { accounts: { us: 'ok', uk: 'paused', agent: 'ok' } },
    });
    simulators.uk.setStatus(waiting, 'failure', 'busy');
    for (const name of ['us', 'agent'] as const) await place(name);
    await expect.poll(async () => (await polykeep.list('outcome=success')).length).toBe(5);
    expect(await polykeep.call(waiting)).toMatchObject({ status: 'queued', outcome: null });

    tokens.uk = 'a-new-token-of-uk';
    await writeAccounts();
    await reread();
    await expect.poll(async () => (await polykeep.call(waiting)).outcome).toBe('failure');
    expect(await ready()).toMatchObject({ status: 'ok' });
    // Each at the start; then the one that changed.
    const checked = () =>
      sidecar.log.filter(({ found }) => found !== undefined).map(({ account }) => account);
    await expect.poll(() => checked().length).toBe(4);
    expect(checked().at(-1)).toBe('uk');
    const text = JSON.stringify(sidecar.log) + sidecar.stderr();
    for (const token of ['the-token-of', 'a-new-token']) expect(text).not.toContain(token);
  });

  it('stay as they are where the file cannot be used; one that is taken out waits until it is back', async () => {
    const polykeep = client(await sidecar.url());
    await writeFile(path, '{ "accounts": [ {');
    await reread();
    expect(sidecar.log.at(-1)).toMatchObject({
      msg: 'configuration kept as it was',
      problems: [`ACCOUNTS_FILE: ${path} line 1: is not JSON: close brace expected`],
    });
    const callSid = simulators.us.place({ script: ONGOING });
    await polykeep.post('/v1/calls', { callSid, account: 'us' });
    await expect.poll(async () => (await polykeep.call(callSid)).status).toBe('queued');

    await writeAccounts(['uk', 'agent']);
    await reread();
    await expect.poll(() => sidecar.log.filter(({ msg }) => /^calls wait/.test(msg)).length).toBe(1);
    const polls = simulators.us.journal.total;
    const late = { callSid: simulators.us.place({ script: LIFE }), account: 'us' };
    expect(await polykeep.post('/v1/calls', late)).toMatchObject({ status: 400 });
    expect(simulators.us.journal.total).toBe(polls);
    await writeAccounts();
    await reread();
    expect(await polykeep.post('/v1/calls', late)).toMatchObject({ status: 201 });
    await expect.poll(async () => (await polykeep.call(late.callSid)).outcome).toBe('success');
    // The one that was followed before goes on, when its follower next looks: after a lease.
    simulators.us.setStatus(callSid, 'failure');
    await expect.poll(async () => (await polykeep.call(callSid)).outcome).toBe('failure');
  });

  it('must be named by who registers a call: none of them is the default', async () => {
    const polykeep = client(await sidecar.url());
    expect(await polykeep.post('/v1/calls', { callSid: 'OUT-1' })).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'account' }] },
    });
    const metrics = await (await fetch(`${await sidecar.url()}/metrics`)).text();
    for (const name of NAMES) expect(metrics).toContain(`polykeep_account_paused{account="${name}"} 0`);
  });
});
