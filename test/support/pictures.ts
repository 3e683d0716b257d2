import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { chromium, type Page } from 'playwright-core';
import { migrateDatabase } from '../../src/archive/schema/migrations.ts';
import { readConfig } from '../../src/config/config.ts';
import { startEmbeddedPostgres } from '../../src/embedded-postgres/embedded-postgres.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { startSidecar } from '../../src/wiring/sidecar.ts';
import { chromiumPath, NO_CHROMIUM } from './chromium-choice.ts';
import { client } from './client.ts';
import { silentLog } from './log.ts';
import { seedArchive } from './seeded-archive.ts';

/** README's pictures of the page, of calls as the demo's: `npm run pictures`. */
const FOLDER = fileURLToPath(new URL('../../docs/page/', import.meta.url));
const TOKEN = 'demo-token';
const SHOWN = 'OUT-550e8400-e29b-41d4-a716-446655440042';

const VIEWS = {
  calls: { path: '/#/calls', shows: 'table.calls tbody tr' },
  'one-call': { path: `/#/calls/${SHOWN}`, shows: '.changes tbody tr' },
  outcomes: { path: '/#/outcomes?period=7d', shows: '.reasons li' },
  health: { path: '/#/health', shows: '.accounts tbody tr' },
};

await using running = new AsyncDisposableStack();
const executablePath = chromiumPath();
if (executablePath === null) throw new Error(NO_CHROMIUM);
const database = await startDatabase();
await seedArchive(database);
await settleAll();
const simulator = await startSimulator({ token: TOKEN, style: 'mid-2026' });
running.defer(() => simulator.stop());
const environment = { POLYAI_AUTH_TOKEN: TOKEN, POLYAI_BASE_URL: simulator.url, DATABASE_URL: database.url };
const config = readConfig('serve', { ...environment, PORT: '0' });
const sidecar = await startSidecar({ config, role: 'serve', log: silentLog });
running.defer(() => sidecar.stop());
const url = sidecar.url ?? '';
await placeCalls();
await takePictures();

async function startDatabase() {
  const folder = await mkdtemp(join(tmpdir(), 'polykeep-pictures-'));
  // Its server is another user's where we are root.
  await chmod(folder, 0o755);
  running.defer(() => rm(folder, { recursive: true, force: true }));
  const postgres = await startEmbeddedPostgres({ dataDir: join(folder, 'data'), log: () => {} });
  running.defer(() => postgres.stop());
  await migrateDatabase(postgres.url, silentLog);
  const connection = new Client({ connectionString: postgres.url });
  await connection.connect();
  running.defer(() => connection.end());
  return {
    url: postgres.url,
    async query<Row extends object>(text: string, values?: unknown[]): Promise<Row[]> {
      return (await connection.query<Row>(text, values)).rows;
    },
    drop: async () => {},
  };
}

/** Of the seed's calls none is followed, and all are of the one account. */
async function settleAll(): Promise<void> {
  await database.query(`
    update calls set account = 'default', outcome = coalesce(outcome, 'success'), settled_at = coalesce(settled_at, last_seen_at),
           reason = case when outcome = 'failure'
                      then (array['no answer', 'no answer', 'busy', 'voicemail'])[abs(hashtext(call_sid)) % 4 + 1] end`);
}

/** Calls under way: one of each status, and one that is seen whole. */
async function placeCalls(): Promise<void> {
  const polykeep = client(url);
  const whole = [
    { status: 'queued', forMs: 7_000 },
    { status: 'calling', forMs: 16_000 },
    { status: 'failure', reason: 'no answer', forMs: 0 },
  ];
  simulator.place({ callSid: SHOWN, script: whole });
  await register(SHOWN, 'C-1042');
  for (const [index, status] of ['queued', 'calling', 'calling'].entries()) {
    const callSid = simulator.place({ script: [{ status, forMs: Number.POSITIVE_INFINITY }] });
    await register(callSid, `C-${1043 + index}`);
  }
  while ((await polykeep.call(SHOWN)).outcome === null) await polykeep.get(`/v1/calls/${SHOWN}?wait=10`);

  async function register(callSid: string, customer: string): Promise<void> {
    await polykeep.post('/v1/calls', { callSid, metadata: { campaign: 'reminders', customer } });
  }
}

async function takePictures(): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  const browser = await chromium.launch({ executablePath: `${executablePath}`, args: ['--no-sandbox'] });
  running.defer(() => browser.close());
  const page = await browser.newPage({
    viewport: { width: 1120, height: 700 },
    locale: 'en-GB',
    timezoneId: 'Europe/London',
  });
  for (const [name, view] of Object.entries(VIEWS)) await takePicture(page, name, view);
}

async function takePicture(
  page: Page,
  name: string,
  { path, shows }: { path: string; shows: string },
): Promise<void> {
  await page.goto(url + path);
  await page.locator(shows).first().waitFor();
  await page.screenshot({ path: join(FOLDER, `${name}.png`), animations: 'disabled' });
}
