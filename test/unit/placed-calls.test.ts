import { describe, expect, it } from 'vitest';
import { createPlacedCalls } from '../../src/api/drop-in/placed-calls.ts';
import type { Registered } from '../../src/archive/write/registrar.ts';
import type { Report } from '../../src/call/call.ts';
import { silentLog as log } from '../support/log.ts';
import { sightingNow } from '../support/sighting.ts';

/** Placed calls before a Postgres that takes nothing until it is told to. */
function placed() {
  const reports: Report[] = [];
  let isUp = false;
  const register = async (): Promise<Registered> => {
    if (!isUp) throw new Error('connection refused');
    return { kind: 'existing' };
  };
  const placedCalls = createPlacedCalls({
    registrar: { register, registerAll: async () => [] },
    report: async (report) => void reports.push(report),
    followSoon: () => {},
    log,
  });
  return {
    placedCalls,
    /** The statuses that were written, in order. */
    statuses: () => reports.map(({ sighting }) => sighting?.status),
    comeBack() {
      isUp = true;
    },
  };
}

const registration = { callSid: 'a', account: 'default', metadata: {} };

describe('what PolyAI shows of a call while Postgres is away', () => {
  it('is kept once for each change, from when it was first shown, however often a client asks', async () => {
    const { placedCalls, statuses, comeBack } = placed();
    const kept: Promise<void>[] = [];
    for (const status of ['queued', 'calling', 'success'])
      for (let asked = 0; asked < 100; asked++) {
        const sighting = { ...sightingNow(status), body: `${status} ${asked}` };
        kept.push(placedCalls.keep(registration, sighting));
      }
    comeBack();
    await Promise.all(kept);
    await expect.poll(statuses).toEqual(['queued', 'calling', 'success']);
  });

  it('is bounded; the last of it is kept', async () => {
    const { placedCalls, statuses, comeBack } = placed();
    const shown = Array.from({ length: 1_000 }, (_, index) => `status-${index}`);
    const kept = shown.map((status) => placedCalls.keep(registration, sightingNow(status)));
    comeBack();
    await Promise.all(kept);
    await expect.poll(() => statuses().at(-1)).toBe('status-999');
    expect(statuses()).toHaveLength(20);
  });
});
