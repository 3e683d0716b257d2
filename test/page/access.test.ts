import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PageStage, startPageStage } from '../support/browser.ts';
import { chromiumPath, NO_CHROMIUM } from '../support/chromium-choice.ts';

const READ = 'the-key-that-may-read';
const WRITE = 'the-key-that-may-write';
const KEYS = `bi:read:${READ},web:write:${WRITE}`;
const CALL_SID = 'OUT-of-a-key';

let stage: PageStage;

describe.skipIf(chromiumPath() === null)(
  `who may see the page's calls (${chromiumPath() ?? NO_CHROMIUM})`,
  () => {
    beforeAll(async () => {
      stage = await startPageStage({ API_KEYS: KEYS });
      const headers = { authorization: `Bearer ${WRITE}`, 'content-type': 'application/json' };
      const body = JSON.stringify({ callSid: CALL_SID });
      await fetch(`${stage.url}/v1/calls`, { method: 'POST', headers, body });
    });

    afterAll(() => stage.stop());

    async function signedIn(key: string, path = '/') {
      const page = await stage.open(path);
      await page.getByLabel('API key').fill(key);
      await page.getByRole('button', { name: 'Sign in' }).click();
      return page;
    }

    it('without a key it asks for one, and tells nothing', async () => {
      const page = await stage.open(`/#/calls/${CALL_SID}`);
      await page.getByLabel('API key').waitFor();
      expect(await page.locator('body').textContent()).not.toContain(CALL_SID);
    });

    it('a wrong key is refused, and not kept', async () => {
      const page = await signedIn('a-key-that-is-none-at-all');
      await page.getByText('polykeep does not know this key.').waitFor();
      expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
    });

    it('a read key sees the calls, and no button that writes', async () => {
      const page = await signedIn(READ, `/#/calls/${CALL_SID}`);
      await page.getByRole('heading', { name: CALL_SID }).waitFor();
      await page.getByText('bi · may read').waitFor();
      expect(await page.getByRole('button', { name: 'Erase' }).count()).toBe(0);
    });

    it('a write key sees it, is kept for the tab, and forgotten on "sign out"', async () => {
      const page = await signedIn(WRITE, `/#/calls/${CALL_SID}`);
      await page.getByRole('button', { name: 'Erase' }).waitFor();
      await page.reload();
      await page.getByRole('button', { name: 'Erase' }).waitFor();
      expect(await page.evaluate(() => localStorage.length)).toBe(0);
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByLabel('API key').waitFor();
      await page.reload();
      await page.getByLabel('API key').waitFor();
      expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
    });

    it('the page asks no other host for anything, and no policy was violated', async () => {
      const page = await stage.open();
      const hosts = new Set<string>();
      page.on('request', (request) => void hosts.add(new URL(request.url()).origin));
      for (const view of ['calls', 'outcomes', 'health']) {
        await page.goto(`${stage.url}/#/${view}`);
        await page.reload();
        await page.getByLabel('API key').waitFor();
      }
      expect([...hosts]).toEqual([stage.url]);
      expect(stage.complaints).toEqual([]);
    });
  },
);
