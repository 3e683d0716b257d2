import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { buildIn } from './build.ts';
import { chromiumPath } from './chromium-choice.ts';
import { client } from './client.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { FAST, type SidecarProcess, spawnSidecar } from './sidecar.ts';

/** As slow as a busy machine may be: what is there sooner is found sooner. */
const PATIENCE_MS = 30_000;

/** A real polykeep, as it ships, with a real browser before it. */
export interface PageStage {
  url: string;
  database: TestDatabase;
  simulator: Simulator;
  sidecar: SidecarProcess;
  polykeep: ReturnType<typeof client>;
  /** A browser of its own, with nothing kept; `path` is what stands behind the host. */
  open(path?: string, options?: BrowserContextOptions): Promise<Page>;
  /** What browsers complained of, policies above all. */
  complaints: string[];
  stop(): Promise<void>;
}

export async function startPageStage(environment: Record<string, string> = {}): Promise<PageStage> {
  await using starting = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'polykeep-page-'));
  starting.defer(() => rm(folder, { recursive: true, force: true }));
  const main = await buildIn(folder);
  const simulator = await startSimulator({ token: FAST.POLYAI_AUTH_TOKEN, style: 'mid-2026' });
  starting.defer(() => simulator.stop());
  const database = await createDatabase();
  starting.defer(() => database.drop());
  const settings = { ...FAST, POLYAI_BASE_URL: simulator.url, DATABASE_URL: database.url, ...environment };
  const sidecar = spawnSidecar(settings, 'serve', main);
  starting.defer(async () => void (await sidecar.end('SIGKILL')));
  const url = await sidecar.url();
  const browser = await chromium.launch({ executablePath: `${chromiumPath()}`, args: ['--no-sandbox'] });
  starting.defer(() => browser.close());
  const complaints: string[] = [];
  const running = starting.move();
  return {
    url,
    database,
    simulator,
    sidecar,
    polykeep: client(url),
    complaints,
    open: (path = '/', options = {}) => open(browser, url + path, options, complaints),
    stop: () => running.disposeAsync(),
  };
}

async function open(
  browser: Browser,
  url: string,
  options: BrowserContextOptions,
  complaints: string[],
): Promise<Page> {
  const context: BrowserContext = await browser.newContext({
    locale: 'en-GB',
    timezoneId: 'Europe/London',
    ...options,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  page.on('pageerror', (error) => void complaints.push(error.message));
  page.on('console', (message) => {
    // A status that is no success is told here too; what the page makes of it is for each test to say.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      complaints.push(message.text());
  });
  await page.goto(url);
  return page;
}
