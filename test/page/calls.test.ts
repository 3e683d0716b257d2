import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PageStage, startPageStage } from '../support/browser.ts';
import { chromiumPath, NO_CHROMIUM } from '../support/chromium-choice.ts';
import { concludeAll, seedCalls } from '../support/seed.ts';

const CALLS = 120;
const HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>';

let stage: PageStage;

describe.skipIf(chromiumPath() === null)(`the calls' view (${chromiumPath() ?? NO_CHROMIUM})`, () => {
  beforeAll(async () => {
    stage = await startPageStage();
    await seedCalls(stage.database, CALLS);
    await concludeAll(stage.database);
  });

  afterAll(() => stage.stop());

  const rows = (page: Page) => page.locator('table.calls tbody tr');
  const idsOf = async (page: Page) => rows(page).locator('.sid').allTextContents();

  it('shows the newest first, in pages by cursor, and the way back', async () => {
    const page = await stage.open();
    await rows(page).first().waitFor();
    const first = await idsOf(page);
    expect(first).toEqual(Array.from({ length: 50 }, (_, index) => `seed-${index + 1}`));
    await page.getByRole('link', { name: 'Older' }).click();
    await page.getByRole('link', { name: 'seed-51' }).waitFor();
    await page.getByRole('link', { name: 'Older' }).click();
    await page.getByRole('link', { name: 'seed-120' }).waitFor();
    expect(await page.getByRole('link', { name: 'Older' }).count()).toBe(0);
    await page.getByRole('button', { name: 'Newer' }).click();
    await page.getByRole('link', { name: 'seed-51' }).waitFor();
    await page.getByRole('link', { name: 'Newest' }).click();
    await page.getByRole('link', { name: 'seed-1', exact: true }).waitFor();
  });

  it('finds a call by its callSid', async () => {
    const page = await stage.open();
    await search(page, 'seed-77');
    await expect.poll(() => idsOf(page)).toEqual(['seed-77']);
  });

  it('finds calls by key:value of the metadata, and an address leads there again', async () => {
    const page = await stage.open();
    await search(page, 'campaign:c3');
    await expect.poll(async () => (await idsOf(page)).length).toBe(17);
    const again = await stage.open(`/${new URL(page.url()).hash}`);
    await expect.poll(async () => (await idsOf(again)).length).toBe(17);
    expect(await again.getByRole('searchbox').inputValue()).toBe('campaign:c3');
  });

  it('what nothing fits says so, and how to go on', async () => {
    const page = await stage.open();
    await search(page, 'campaign:of-nobody');
    await page.getByRole('heading', { name: 'No call fits' }).waitFor();
    await page.getByRole('link', { name: 'see all calls' }).click();
    await expect.poll(async () => (await idsOf(page)).length).toBe(50);
  });

  it('filters by outcome and account, and takes a filter away again', async () => {
    const page = await stage.open();
    await page.getByText('Filters', { exact: true }).click();
    await page.getByLabel('Outcome').selectOption('lost');
    await expect.poll(() => wordsOf(page)).toEqual(['Lost']);
    await page.getByRole('button', { name: 'Take away Outcome: Lost' }).click();
    await expect.poll(async () => (await wordsOf(page)).length).toBeGreaterThan(1);
    await page.goto(`${stage.url}/#/calls?account=spare`);
    await expect.poll(async () => [...new Set(await idsOf(page))].every(isOdd)).toBe(true);
  });

  it('filters by a moment of the reader’s clock', async () => {
    const page = await stage.open('/', { timezoneId: 'Asia/Kathmandu' });
    await page.getByText('Filters', { exact: true }).click();
    // 23:59 UTC of the day before.
    await page.getByLabel('Registered before').fill('2026-11-20T05:44');
    await page.getByLabel('Registered before').press('Enter');
    await expect.poll(async () => (await idsOf(page))[0]).toBe('seed-61');
  });

  it('saves just what is shown as csv', async () => {
    const page = await stage.open('/#/calls?outcome=lost&account=spare');
    await rows(page).first().waitFor();
    const downloading = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Save as csv' }).click();
    const download = await downloading;
    expect(download.suggestedFilename()).toMatch(/^calls-\w+\.csv$/);
    const lines = (await readFile(await download.path(), 'utf8')).trim().split('\r\n');
    expect(lines[0]).toMatch(/^callSid,/);
    expect(lines).toHaveLength(1 + CALLS / 10);
  });

  it('shows hostile metadata as the text that it is', async () => {
    const metadata = { [HOSTILE]: HOSTILE };
    await stage.database.query('update polykeep_internal.calls set metadata = $1 where call_sid = $2', [
      metadata,
      'seed-1',
    ]);
    const page = await stage.open();
    await page.getByText(HOSTILE).first().waitFor();
    await page.getByRole('link', { name: 'seed-1', exact: true }).click();
    await page.getByRole('heading', { name: 'Metadata' }).waitFor();
    await page.getByText(HOSTILE).first().waitFor();
    expect(await page.title()).toBe('seed-1 · polykeep');
    expect(await page.locator('main img, main script').count()).toBe(0);
    expect(stage.complaints).toEqual([]);
  });

  it('shows a new call by itself, and how it goes on', async () => {
    const page = await stage.open();
    await rows(page).first().waitFor();
    const callSid = stage.simulator.place({ script: [{ status: 'queued', forMs: Infinity }] });
    await stage.polykeep.register(callSid);
    const row = rows(page).filter({ hasText: callSid });
    await row.getByText('Queued').waitFor();
    stage.simulator.setStatus(callSid, 'failure', 'no answer');
    await row.getByText('Failure').waitFor();
    await row.getByText('no answer').waitFor();
  });

  async function search(page: Page, text: string): Promise<void> {
    await page.getByRole('searchbox').fill(text);
    await page.getByRole('button', { name: 'Search' }).click();
  }

  async function wordsOf(page: Page): Promise<string[]> {
    return [...new Set(await rows(page).locator('.state-word').allTextContents())];
  }
});

function isOdd(callSid: string): boolean {
  return Number(callSid.replace('seed-', '')) % 2 === 1;
}
