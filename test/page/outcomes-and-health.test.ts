import { Value } from 'typebox/value';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HealthReportJson } from '../../src/api/schemas.ts';
import { type PageStage, startPageStage } from '../support/browser.ts';
import { chromiumPath, NO_CHROMIUM } from '../support/chromium-choice.ts';
import { concludeAll } from '../support/seed.ts';
import { seedArchive } from '../support/seeded-archive.ts';

let stage: PageStage;

describe.skipIf(chromiumPath() === null)(`outcomes and health (${chromiumPath() ?? NO_CHROMIUM})`, () => {
  beforeAll(async () => {
    stage = await startPageStage();
    await seedArchive(stage.database);
    await concludeAll(stage.database);
  });

  afterAll(() => stage.stop());

  it('counts what Postgres has', async () => {
    const [{ calls = 0, failures = 0 } = {}] = await stage.database.query<{
      calls: number;
      failures: number;
    }>(
      `select count(*)::int as calls, count(*) filter (where outcome = 'failure')::int as failures
         from polykeep.calls where registered_at >= date_trunc('day', now() at time zone 'Europe/London' - interval '30 days')
                                           at time zone 'Europe/London'`,
    );
    const page = await stage.open('/#/outcomes?period=30d');
    const tile = (name: string) => page.locator('.tile').filter({ hasText: name }).locator('.figure');
    await expect.poll(() => tile('Calls').textContent()).toBe(String(calls));
    expect(await tile('Failure').textContent()).toBe(String(failures));
    const reasons = page.getByRole('region', { name: 'Why calls failed' });
    await reasons.getByRole('link', { name: 'voicemail' }).waitFor();
    await page.getByText('The numbers as a table').click();
    expect(await page.locator('.numbers tbody tr').count()).toBeGreaterThan(9);
  });

  it('splits by account, of one account, in another zone', async () => {
    const page = await stage.open('/#/outcomes?period=30d&by=account');
    await page.locator('.groups').getByRole('row', { name: /^uk / }).waitFor();
    await page.locator('.groups').getByRole('row', { name: /^us / }).waitFor();
    await page.getByLabel('Time zone').fill('Asia/Kathmandu');
    await page.getByLabel('Time zone').press('Enter');
    await page.locator('.groups').getByRole('row', { name: /^uk / }).waitFor();
    await page.getByLabel('Time zone').fill('Nowhere/Land');
    await page.getByLabel('Time zone').press('Enter');
    await page.getByText('must be UTC or an IANA name').first().waitFor();
  });

  it('says on every view what is wrong, and where it is told what to do', async () => {
    const callSid = stage.simulator.place({ script: [{ status: 'queued', forMs: Infinity }] });
    await stage.polykeep.register(callSid);
    stage.simulator.setToken('another-token');
    const isPaused = async () => {
      const report = Value.Parse(HealthReportJson, await stage.polykeep.get('/v1/health'));
      return report.accounts.map(({ state }) => state);
    };
    await expect.poll(isPaused).toEqual(['paused']);
    const page = await stage.open('/#/outcomes');
    const banner = page.locator('.banner');
    await banner.getByText('PolyAI refuses the token of the account default').waitFor();
    const href = await banner.getByRole('link', { name: 'What to do' }).getAttribute('href');
    await page.goto(`${stage.url}/#/health`);
    await page.locator('.accounts').getByText('Token refused').waitFor();
    await page.goto(stage.url + href);
    await page.locator(':target').getByText('PolykeepAccountPaused').waitFor();
    expect(stage.complaints).toEqual([]);
  });

  it('says that polykeep is away, and keeps what it showed', async () => {
    const page = await stage.open('/#/calls');
    await page.locator('table.calls tbody tr').first().waitFor();
    await stage.sidecar.end('SIGKILL');
    await page.getByText('polykeep does not answer.').waitFor();
    expect(await page.locator('table.calls tbody tr').count()).toBe(50);
    await page.getByRole('link', { name: 'Older' }).click();
    await page.getByRole('heading', { name: 'polykeep does not answer' }).waitFor();
  });
});
