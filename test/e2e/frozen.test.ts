import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { makeCertificate } from '../support/certificate.ts';
import { client } from '../support/client.ts';
import { createDatabase } from '../support/database.ts';
import { FAST, spawnSidecar } from '../support/sidecar.ts';

const CALLS = 60;
const FOREVER = [{ status: 'calling', forMs: Infinity }];

it.each([
  ['HTTP/1.1', false],
  ['HTTP/2', true],
])('calls over https with %s are seen on when the connections freeze', async (_, http2) => {
  const folder = await mkdtemp(join(tmpdir(), 'polykeep-frozen-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const certificate = await makeCertificate();
  const trusted = join(folder, 'ca.pem');
  await writeFile(trusted, certificate.cert);
  const simulator = await startSimulator({
    token: FAST.POLYAI_AUTH_TOKEN,
    tls: { ...certificate, http2 },
  });
  onTestFinished(() => simulator.stop());
  const database = await createDatabase();
  onTestFinished(() => database.drop());
  const sidecar = spawnSidecar({
    ...FAST,
    POLL_TIMEOUT_MS: '1000',
    POLYAI_BASE_URL: simulator.url,
    POLYAI_HTTP2: `${http2}`,
    NODE_EXTRA_CA_CERTS: trusted,
    DATABASE_URL: database.url,
  });
  onTestFinished(async () => void (await sidecar.end('SIGTERM')));
  const polykeep = client(await sidecar.url());
  const callSids = Array.from({ length: CALLS }, () => simulator.place({ script: FOREVER }));
  for (const callSid of callSids) await polykeep.register(callSid);
  await expect.poll(async () => (await polykeep.list('status=calling')).length).toBe(CALLS);
  simulator.freezeConnections();
  for (const callSid of callSids) simulator.setStatus(callSid, 'success');
  await expect
    .poll(async () => (await polykeep.list('outcome=success')).length, { timeout: 15_000 })
    .toBe(CALLS);
});
