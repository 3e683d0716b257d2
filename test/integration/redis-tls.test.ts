import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { makeCertificate } from '../support/certificate.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { freePort } from '../support/free-port.ts';
import { followThrough } from '../support/many-calls.ts';
import { isOnPath } from '../support/redis-choice.ts';
import { type RedisServer, spawnRedisServer } from '../support/redis-server.ts';
import { FAST, type SidecarProcess, spawnSidecar } from '../support/sidecar.ts';

/** A Redis over TLS, with a certificate of an authority that Node does not know. */

let after: AsyncDisposableStack;
let simulator: Simulator;
let database: TestDatabase;
let redis: RedisServer;
let tls: Record<string, string | number>;

beforeEach(async ({ skip }) => {
  after = new AsyncDisposableStack();
  skip(!isOnPath('redis-server'), 'no redis-server on the PATH to be started with a certificate');
  const folder = await mkdtemp(join(tmpdir(), 'polykeep-tls-'));
  after.defer(() => rm(folder, { recursive: true, force: true }));
  const { key, cert } = await makeCertificate();
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  await Promise.all([writeFile(keyFile, key), writeFile(certFile, cert)]);
  tls = {
    'tls-port': await freePort(),
    'tls-cert-file': certFile,
    'tls-key-file': keyFile,
    'tls-ca-cert-file': certFile,
    'tls-auth-clients': 'no',
  };
  redis = await spawnRedisServer(tls);
  after.defer(() => redis.kill());
  simulator = await startSimulator({ token: FAST.POLYAI_AUTH_TOKEN });
  after.defer(() => simulator.stop());
  database = await createDatabase();
  after.defer(() => database.drop());
});

afterEach(() => after.disposeAsync());

function start(more: Record<string, string>): SidecarProcess {
  const sidecar = spawnSidecar({
    ...FAST,
    LEASE_MS: '3000',
    POLYAI_BASE_URL: simulator.url,
    DATABASE_URL: database.url,
    REDIS_URL: `rediss://127.0.0.1:${tls['tls-port']}`,
    ...more,
  });
  after.defer(async () => void (await sidecar.end('SIGTERM')));
  return sidecar;
}

it('an authority of NODE_EXTRA_CA_CERTS is trusted, and a restart of Redis costs no call', async ({
  annotate,
}) => {
  const url = await start({ NODE_EXTRA_CA_CERTS: `${tls['tls-cert-file']}` }).url();
  const ready = async () => (await fetch(`${url}/health/ready`)).json();
  const untilQueueIs = (state: string) => expect.poll(ready).toMatchObject({ parts: { queue: state } });
  await untilQueueIs('up');
  const { lost, longestGapMs } = await followThrough(url, simulator, async (meanwhile) => {
    await redis.kill();
    await meanwhile();
    await untilQueueIs('down');
    redis = await spawnRedisServer({ ...tls, port: redis.port });
    await untilQueueIs('up');
  });
  await annotate(`longest gap between two polls of a call: ${longestGapMs} ms`);
  expect(lost).toEqual([]);
});

it('without it the certificate is refused, in words', async () => {
  const sidecar = start({});
  await sidecar.url();
  await expect
    .poll(() => sidecar.log.find(({ msg }) => msg.startsWith('Redis takes no writes')))
    .toMatchObject({ err: { message: expect.stringMatching(/self-signed certificate/) } });
});
