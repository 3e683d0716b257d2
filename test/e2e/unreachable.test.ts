import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HealthJson } from '../../src/api/schemas.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { client } from '../support/client.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { scrape } from '../support/prometheus.ts';
import { FAST, type SidecarProcess, spawnSidecar } from '../support/sidecar.ts';

const TOKEN = 'a-token-of-some-length';
const FOREVER = [{ status: 'queued', forMs: Infinity }];

let folder: string;
let elsewhere: Simulator;
let database: TestDatabase;
let sidecar: SidecarProcess;

/** Of each account what it is for is what is wrong with its base URL. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'polykeep-unreachable-'));
  elsewhere = await startSimulator({ token: TOKEN });
  const closed = await startSimulator({ token: TOKEN });
  await closed.stop();
  const urls = {
    silent: closed.url,
    misspelt: 'http://api.us-1.platform.polyai.invalid',
    elsewhere: elsewhere.url,
  };
  const path = join(folder, 'accounts.json');
  const accounts = Object.entries(urls).map(([name, baseUrl]) => ({ name, baseUrl, token: TOKEN }));
  await writeFile(path, JSON.stringify({ accounts }));
  database = await createDatabase();
  const { POLYAI_AUTH_TOKEN: _, ...fast } = FAST;
  sidecar = spawnSidecar({ ...fast, ACCOUNTS_FILE: path, DATABASE_URL: database.url });
});

afterEach(async () => {
  await sidecar.end('SIGTERM');
  await elsewhere.stop();
  await database.drop();
  await rm(folder, { recursive: true });
});

const warningsOf = (account: string) =>
  sidecar.log.filter((line) => line.account === account && line.level === 'warn' && line.found === undefined);

describe('at the start', () => {
  it('one line tells how each account was found', async () => {
    await sidecar.url();
    const found = () => sidecar.log.filter((line) => line.found !== undefined);
    await expect.poll(found).toHaveLength(3);
    const of = (name: string) => found().filter(({ account }) => account === name);
    expect(of('elsewhere')).toMatchObject([
      { level: 'info', msg: 'account checked', found: expect.stringMatching(/ takes the token$/) },
    ]);
    expect(of('silent')).toMatchObject([
      { level: 'warn', found: expect.stringMatching(/cannot be reached/) },
    ]);
    expect(of('misspelt')).toMatchObject([{ level: 'warn', found: expect.stringMatching(/leads nowhere/) }]);
  });

  it('nothing waits for an account that does not answer, and the end does neither', async () => {
    const mute = createServer(() => {});
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    mute.once('request', () => resolve());
    await new Promise<void>((done) => mute.listen(0, '127.0.0.1', done));
    const address = mute.address();
    const polykeep = spawnSidecar({
      ...FAST,
      DATABASE_URL: database.url,
      POLYAI_BASE_URL: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
      POLL_TIMEOUT_MS: '600000',
    });
    await Promise.all([polykeep.url(), asked]);
    expect(await polykeep.end('SIGTERM')).toBe(0);
    expect(polykeep.log.filter((line) => line.found !== undefined)).toEqual([]);
    mute.closeAllConnections();
    mute.close();
  });
});

describe('an account whose base URL is wrong', () => {
  it('is seen in the archive within 5 s, in readiness, the metrics, and one line of the log', async () => {
    const url = await sidecar.url();
    const polykeep = client(url);
    const names = ['silent', 'misspelt', 'elsewhere'];
    expect(await polykeep.get('/health/ready')).toMatchObject({ status: 'ok' });
    for (const account of names) await polykeep.post('/v1/calls', { callSid: `call-of-${account}`, account });
    const registeredAt = Date.now();
    const lastErrors = () =>
      Promise.all(names.map(async (name) => (await polykeep.call(`call-of-${name}`)).lastError));
    await expect
      .poll(lastErrors)
      .toEqual([
        expect.stringMatching(/^ECONNREFUSED 127\.0\.0\.1:\d+$/),
        expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN) api\.us-1\.platform\.polyai\.invalid$/),
        'HTTP 404: Call not found',
      ]);
    expect(Date.now() - registeredAt).toBeLessThan(5_000);

    await expect
      .poll(() => polykeep.get('/health/ready'))
      .toMatchObject({
        status: 'degraded',
        parts: {
          accounts: {
            silent: expect.stringMatching(/^failing: ECONNREFUSED /),
            misspelt: expect.stringMatching(/^failing: (ENOTFOUND|EAI_AGAIN) /),
            elsewhere: 'unproven',
          },
        },
      });
    const told = await scrape(url);
    const values = names.map((account) => [
      told.value('polykeep_account_failing', { account }),
      told.value('polykeep_account_unproven', { account }),
    ]);
    expect(values).toEqual([
      [1, 0],
      [1, 0],
      [0, 1],
    ]);
    for (const account of names) expect(warningsOf(account), account).toHaveLength(1);
    for (const account of names) {
      expect(await polykeep.call(`call-of-${account}`)).toMatchObject({ outcome: null });
    }
  });

  it('is well again with the first answer, which one line tells', async () => {
    const polykeep = client(await sidecar.url());
    const callSid = elsewhere.place({ script: FOREVER });
    await polykeep.post('/v1/calls', { callSid: 'unknown', account: 'elsewhere' });
    const condition = async () =>
      Value.Parse(HealthJson, await polykeep.get('/health/ready')).parts.accounts.elsewhere;
    await expect.poll(condition).toBe('unproven');
    await polykeep.post('/v1/calls', { callSid, account: 'elsewhere' });
    await expect.poll(condition).toBe('ok');
    const lines = sidecar.log.filter(
      ({ account, before }) => account === 'elsewhere' && before !== undefined,
    );
    expect(lines).toMatchObject([{ level: 'info', before: 'unproven' }]);
  });
});
