import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PageStage, startPageStage } from '../support/browser.ts';
import { chromiumPath, NO_CHROMIUM } from '../support/chromium-choice.ts';
import { seedArchive } from '../support/seeded-archive.ts';

const VIEWS: Record<string, { path: string; shows: string }> = {
  calls: { path: '/#/calls?outcome=lost', shows: 'table.calls tbody tr' },
  'a call': { path: '/#/calls/OUT-2', shows: '.timeline' },
  'a conclusion': { path: '/#/calls/OUT-12', shows: '.conclusion' },
  outcomes: { path: '/#/outcomes?by=account', shows: '.groups tbody tr' },
  health: { path: '/#/health', shows: '.accounts tbody tr' },
  'no such view': { path: '/#/nowhere', shows: 'h1' },
};
const VIEW_NAMES = Object.keys(VIEWS);
const SIZES = { wide: { width: 1280, height: 800 }, narrow: { width: 360, height: 720 } };
const LOOKS = (['light', 'dark'] as const).flatMap((colorScheme) =>
  (['wide', 'narrow'] as const).map((size) => ({ colorScheme, size })),
);

let stage: PageStage;

describe.skipIf(chromiumPath() === null)(`how the page looks (${chromiumPath() ?? NO_CHROMIUM})`, () => {
  beforeAll(async () => {
    stage = await startPageStage();
    await seedArchive(stage.database);
  });

  afterAll(() => stage.stop());

  async function show(page: Page, view: string): Promise<void> {
    const { path, shows } = VIEWS[view] ?? { path: '', shows: '' };
    await page.goto(stage.url + path);
    await page.locator(shows).first().waitFor();
  }

  describe.each(LOOKS)('$size, $colorScheme', ({ colorScheme, size }) => {
    it.each(VIEW_NAMES)('axe finds nothing wrong with %s', async (view) => {
      const page = await stage.open('/', { colorScheme, viewport: SIZES[size] });
      await show(page, view);
      await page
        .locator('details')
        .evaluateAll((all) => all.map((details) => details.setAttribute('open', '')));
      expect(await violations(page)).toEqual([]);
    });
  });

  it('at 360 pixels no view is wider than the window', async () => {
    const page = await stage.open('/', { viewport: SIZES.narrow });
    for (const view of VIEW_NAMES) {
      await show(page, view);
      const width = await page.evaluate('document.documentElement.scrollWidth');
      expect([view, width]).toEqual([view, SIZES.narrow.width]);
    }
  });

  it('is dark where the system is', async () => {
    const ground = async (colorScheme: 'light' | 'dark') => {
      const page = await stage.open('/', { colorScheme });
      await show(page, 'calls');
      return page.evaluate('getComputedStyle(document.body).backgroundColor');
    };
    expect(await ground('light')).toBe('rgb(247, 247, 245)');
    expect(await ground('dark')).toBe('rgb(19, 20, 22)');
  });

  it('a search, a call and the way back need no mouse', async () => {
    const page = await stage.open();
    await page.locator('table.calls tbody tr').first().waitFor();
    await tabTo(page, 'Search by callSid or metadata');
    await page.keyboard.type('customer:C-1043');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Take away customer: C-1043' }).waitFor();
    await page.locator('table.calls tbody tr').first().waitFor();
    const callSid = await page.locator('table.calls .sid').first().textContent();
    await tabTo(page, `${callSid}`);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: `${callSid}` }).waitFor();
    await tabTo(page, 'Erase …');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    expect(await focused(page)).toBe('Keep it');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await tabTo(page, 'Outcomes');
    await page.keyboard.press('Enter');
    await tabTo(page, 'Calls over time');
    const last = await page.getByRole('slider', { name: 'Calls over time' }).getAttribute('aria-valuetext');
    await page.keyboard.press('ArrowLeft');
    const before = await page.getByRole('slider', { name: 'Calls over time' }).getAttribute('aria-valuetext');
    expect(before).toMatch(/\d+ calls/);
    expect(before).not.toBe(last);
  });
});

/** What axe says is wrong, in short. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = await page.evaluate('axe.run(document, { resultTypes: ["violations"] })');
  return violationsIn(found).flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}

function violationsIn(found: unknown): axe.Result[] {
  if (
    typeof found !== 'object' ||
    found === null ||
    !('violations' in found) ||
    !Array.isArray(found.violations)
  ) {
    throw new Error('axe said nothing');
  }
  return found.violations;
}

const MOST_TABS = 150;

/** Presses Tab until what has this name has the focus; the view may still be coming. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let tabs = 0; tabs < MOST_TABS; tabs++) {
    await page.keyboard.press('Tab');
    if ((await focused(page)) === name) return;
  }
  throw new Error(`no Tab leads to ${name}`);
}

const FOCUSED = 'document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent';

async function focused(page: Page): Promise<string> {
  return String(await page.evaluate(FOCUSED));
}
