import { describe, expect, it } from 'vitest';
import { createHealthReport } from '../../src/api/health-report.ts';
import { paced } from '../../src/api/paced.ts';
import type { UnsettledGroup } from '../../src/archive/read/unsettled.ts';
import type { QueueDepth } from '../../src/queue/call-queue.ts';

const GROUPS: UnsettledGroup[] = [
  { account: 'gone', status: 'calling', count: 2, silent: 2, longestSilenceS: 4_000 },
  { account: 'gone', status: 'none', count: 1, silent: 0, longestSilenceS: 3 },
];

interface Parts {
  read?: () => Promise<UnsettledGroup[]>;
  depth?: QueueDepth | null;
}

function report({ read = async () => GROUPS, depth = { active: 1, waiting: 2, delayed: 3 } }: Parts = {}) {
  return createHealthReport({
    readiness: async () => ({ postgres: 'up', queue: 'up', accounts: {} }),
    queue: { depth: async () => depth, workers: async () => 2, followed: 0, isShared: true },
    accounts: { all: () => [] },
    unsettled: { read },
  });
}

describe('the health report', () => {
  it('tells of accounts that only calls are left of', async () => {
    const { accounts, queue } = await report()();
    expect(accounts).toMatchObject([
      { name: 'gone', state: 'unconfigured', followed: 3, atRisk: 2, longestSilenceSeconds: 4_000 },
    ]);
    expect(queue).toEqual({ state: 'up', isShared: true, active: 1, waiting: 5 });
  });

  it('comes without what cannot be counted', async () => {
    const { accounts, queue } = await report({
      read: () => Promise.reject(new Error('away')),
      depth: null,
    })();
    expect(accounts).toEqual([]);
    expect(queue).toMatchObject({ active: null, waiting: null });
  });

  it('counts once for all who ask at once', async () => {
    let counts = 0;
    const ask = report({
      read: async () => {
        counts++;
        return GROUPS;
      },
    });
    await Promise.all([ask(), ask(), ask()]);
    await ask();
    expect(counts).toBe(1);
  });
});

describe('paced', () => {
  it('reads anew after a reading that failed', async () => {
    let readings = 0;
    const ask = paced(
      async () => {
        readings++;
        if (readings === 1) throw new Error('once');
        return readings;
      },
      { everyMs: 60_000 },
    );
    await expect(ask()).rejects.toThrow('once');
    expect([await ask(), await ask()]).toEqual([2, 2]);
  });
});
