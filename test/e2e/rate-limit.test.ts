import { afterEach, beforeEach, expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type Sidecar, startSidecar } from '../../src/wiring/sidecar.ts';
import { client } from '../support/client.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { silentLog as log } from '../support/log.ts';
import { FAST } from '../support/sidecar.ts';

const CALLS = 40;
let simulator: Simulator;
let database: TestDatabase;
let sidecar: Sidecar;

beforeEach(async () => {
  simulator = await startSimulator({ token: FAST.POLYAI_AUTH_TOKEN });
  database = await createDatabase();
  const config = readConfig('serve', {
    ...FAST,
    POLYAI_BASE_URL: simulator.url,
    POLYAI_MAX_REQUESTS_PER_SECOND: '3',
    LEASE_MS: '1000',
    DATABASE_URL: database.url,
  });
  sidecar = await startSidecar({ config, role: 'serve', log });
});

afterEach(async () => {
  await sidecar.stop();
  await simulator.stop();
  await database.drop();
});

it('calls that wait for their turn longer than a lease keep their place, and are promised to be followed', async () => {
  const callSids = Array.from({ length: CALLS }, () =>
    simulator.place({ script: [{ status: 'queued', forMs: Infinity }] }),
  );
  await client(sidecar.url ?? '').post('/v1/calls/batch', {
    calls: callSids.map((callSid) => ({ callSid })),
  });
  await expect.poll(() => simulator.journal.total).toBeGreaterThan(0);
  // Each has its turn before any has a second one, whatever number of leases that takes; but for one that is on its way
  // from a lease to the next: who is behind it may go first meanwhile, though not twice.
  while (simulator.journal.total < CALLS + 5) {
    const overdue = await database.query(
      "select from polykeep_internal.unsettled where followed_until < now() - interval '1 s'",
    );
    expect(overdue).toHaveLength(0);
    const polls = callSids.map((callSid) => simulator.journal.count(callSid));
    expect(Math.max(...polls) - Math.min(...polls)).toBeLessThanOrEqual(2);
    const seen = simulator.journal.total;
    await expect.poll(() => simulator.journal.total).toBeGreaterThan(seen);
  }
});
