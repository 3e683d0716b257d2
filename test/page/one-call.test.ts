import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PageStage, startPageStage } from '../support/browser.ts';
import { chromiumPath, NO_CHROMIUM } from '../support/chromium-choice.ts';

let stage: PageStage;

describe.skipIf(chromiumPath() === null)(`the view of one call (${chromiumPath() ?? NO_CHROMIUM})`, () => {
  beforeAll(async () => {
    stage = await startPageStage({ NOT_FOUND_GRACE_MS: '0' });
  });

  afterAll(() => stage.stop());

  /** A call that polykeep follows, and has seen. */
  async function placed(status: string): Promise<string> {
    const callSid = stage.simulator.place({ script: [{ status, forMs: Infinity }] });
    await stage.polykeep.register(callSid);
    await expect.poll(async () => (await stage.polykeep.call(callSid)).status).toBe(status);
    return callSid;
  }

  it('changes under the reader’s eyes until the call ends', async () => {
    const callSid = await placed('queued');
    const page = await stage.open(`/#/calls/${callSid}`);
    await page.getByRole('row', { name: /^Queued/ }).waitFor();
    stage.simulator.setStatus(callSid, 'calling');
    await page.getByRole('row', { name: /^Calling/ }).waitFor();
    stage.simulator.setStatus(callSid, 'failure', 'no answer');
    await page.getByRole('row', { name: /^Failure no answer/ }).waitFor();
    await expect.poll(() => page.locator('.live').count()).toBe(0);
  });

  it('draws to scale what polls saw and between which two each change happened', async () => {
    const callSid = await placed('queued');
    // Two polls at least saw it queued: that much of it is sure.
    await expect.poll(() => stage.simulator.journal.polls(callSid).length).toBeGreaterThan(3);
    stage.simulator.setStatus(callSid, 'success');
    await expect.poll(async () => (await stage.polykeep.call(callSid)).outcome).toBe('success');
    const call = await stage.polykeep.call(callSid);
    const page = await stage.open(`/#/calls/${callSid}`);
    await page.locator('.timeline .bar-queued').waitFor();
    const begin = Date.parse(call.registeredAt);
    const [queued, success] = call.transitions;
    const whole = Date.parse(success?.observedAt ?? '') - begin;
    const share = (time: string | null | undefined) => ((Date.parse(time ?? '') - begin) / whole) * 100;
    const bars = await page
      .locator('.timeline rect[class^="bar-"]')
      .evaluateAll((rects) =>
        rects.map((rect) => [
          rect.getAttribute('class'),
          ...['x', 'width'].map((name) => Number.parseFloat(rect.getAttribute(name) ?? '')),
        ]),
      );
    const drawn = (kind: string, from: number, to: number) => [
      kind,
      expect.closeTo(from, 3),
      expect.closeTo(to - from, 3),
    ];
    expect(bars).toEqual([
      drawn('bar-doubt', 0, share(queued?.observedAt)),
      drawn('bar-queued', share(queued?.observedAt), share(success?.changedAfter)),
      drawn('bar-doubt', share(success?.changedAfter), 100),
    ]);
    expect(await page.locator('.changes time').last().getAttribute('title')).toMatch(/ UTC$/);
  });

  it('explains a conclusion, and follows the call again', async () => {
    // An account that has shown no call concludes nothing.
    await placed('queued');
    const callSid = 'OUT-placed-later';
    await stage.polykeep.register(callSid);
    await expect.poll(async () => (await stage.polykeep.call(callSid)).outcome).toBe('not_found');
    const page = await stage.open(`/#/calls/${callSid}`);
    await page.getByRole('heading', { name: /^Not found: polykeep’s own conclusion/ }).waitFor();
    stage.simulator.place({ callSid, script: [{ status: 'calling', forMs: Infinity }] });
    await page.getByRole('button', { name: 'Follow again' }).click();
    await page.getByRole('row', { name: /^Calling/ }).waitFor();
    expect(await page.getByRole('button', { name: 'Follow again' }).count()).toBe(0);
    expect((await stage.polykeep.call(callSid)).outcome).toBeNull();
  });

  it('erases a call, but not before it has asked', async () => {
    const callSid = await placed('calling');
    const page = await stage.open(`/#/calls/${callSid}`);
    await page.getByRole('button', { name: 'Erase' }).click();
    await page.getByRole('dialog', { name: 'Erase this call?' }).waitFor();
    await page.getByRole('button', { name: 'Keep it' }).click();
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    expect((await stage.polykeep.call(callSid)).callSid).toBe(callSid);
    await page.getByRole('button', { name: 'Erase' }).click();
    await page.getByRole('button', { name: 'Erase it' }).click();
    await page.getByRole('heading', { name: 'Calls' }).waitFor();
    expect(await stage.polykeep.get(`/v1/calls/${callSid}`)).toMatchObject({ code: 'call_not_found' });
  });

  it('says of a call that it does not know it', async () => {
    const page = await stage.open('/#/calls/OUT-of-nobody%20at%20all');
    await page.getByRole('heading', { name: 'polykeep does not know this call' }).waitFor();
    await page.getByText('OUT-of-nobody at all').waitFor();
  });
});
