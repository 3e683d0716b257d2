import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NEVER_CUT, type RateReport } from '../../src/accounts/rate.ts';
import { RateSharing } from '../../src/accounts/rate-sharing.ts';
import { systemClock } from '../../src/clock.ts';
import { listeningLog, type ToldLine } from '../support/log.ts';

const report = (process: string, more: Partial<RateReport> = {}): RateReport => ({
  ...{ process, seq: 1, waiting: 10, asked: 20, accepted: 15, holdMs: 0 },
  ...{ ...NEVER_CUT, grownMs: null },
  ...more,
});

let reports: RateReport[];
/** How long an exchange takes. */
let exchangeMs: number;
/** What it fails with; null: it does not. */
let failure: Error | null;
let told: ToldLine[];
let heard: number[];
let missed: number;
let sharing: RateSharing;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
  reports = [];
  exchangeMs = 0;
  failure = null;
  const { lines, log } = listeningLog();
  told = lines;
  heard = [];
  missed = 0;
  sharing = new RateSharing({
    ...{ account: 'acme', clock: systemClock, log, tickMs: 1_000 },
    exchange: {
      exchange: async () => {
        if (failure !== null) throw failure;
        await new Promise((resolve) => setTimeout(resolve, exchangeMs));
        return reports;
      },
    },
    report: () => report('me'),
    onHeard: (holdMs) => heard.push(holdMs),
    onMissed: () => missed++,
  });
});

afterEach(() => {
  vi.useRealTimers();
});

async function exchange(...next: RateReport[]): Promise<void> {
  reports = next;
  sharing.exchange();
  await vi.advanceTimersByTimeAsync(1);
}

describe('what the others report', () => {
  it('is summed up', async () => {
    await exchange(report('a'), report('b', { asked: 5, accepted: 4 }));
    expect([sharing.asked, sharing.waiting, sharing.acceptedPerSecond(0)]).toEqual([25, 20, 19]);
    expect(sharing.fraction(45)).toBeCloseTo(0.5);
  });

  it('of what is accepted is not known where one has not heard of the cut, or not measured since', async () => {
    await exchange(report('a', { cuts: 3 }), report('b', { cuts: 2 }));
    expect(sharing.acceptedPerSecond(3)).toBeNull();
    await exchange(report('a', { cuts: 3 }), report('b', { cuts: 3, accepted: null }));
    expect(sharing.acceptedPerSecond(3)).toBeNull();
    await exchange(report('a', { cuts: 3 }), report('b', { cuts: 3 }));
    expect(sharing.acceptedPerSecond(3)).toBe(30);
  });

  it('holds as long as the longest of them says, once', async () => {
    const holding = [report('a', { holdMs: 5_000 }), report('b', { holdMs: 700 })];
    await exchange(...holding);
    await exchange(...holding);
    await exchange(report('a', { seq: 2, holdMs: 4_000 }), report('b', { holdMs: 700 }));
    expect(heard).toEqual([5_000, 0, 4_000]);
  });

  it('is the highest cut, whoever knows of it', async () => {
    await exchange(report('a', { cuts: 3, good: 50, low: 45, backMs: 40_000, grownMs: 100 }), report('b'));
    expect(sharing.mergedWith(NEVER_CUT)).toEqual({
      ...{ cuts: 3, good: 50, low: 45, backMs: 40_000, grownMs: 100 },
    });
    const later = { cuts: 4, good: 70, low: 63, backMs: 25_000, grownMs: 0 };
    expect(sharing.mergedWith(later)).toBe(later);
  });
});

describe('an exchange', () => {
  it('that fails, or takes longer than a tick, is missed', async () => {
    sharing.tick();
    await vi.advanceTimersByTimeAsync(1);
    failure = new Error('away');
    await exchange();
    expect(missed).toBe(1);
    failure = null;
    exchangeMs = 5_000;
    await exchange();
    await vi.advanceTimersByTimeAsync(1_000);
    sharing.tick();
    expect(missed).toBe(2);
  });

  it('that was begun a moment before the tick is waited for', async () => {
    sharing.tick();
    await vi.advanceTimersByTimeAsync(990);
    exchangeMs = 100;
    sharing.exchange();
    await vi.advanceTimersByTimeAsync(10);
    sharing.tick();
    await vi.advanceTimersByTimeAsync(100);
    expect([heard.length, missed]).toEqual([2, 0]);
  });

  it('is not missed before the first tick: the connection may not be made yet', async () => {
    failure = new Error('away');
    await exchange();
    expect(missed).toBe(0);
  });

  it('that Redis refuses is told of once, and once when it is taken; that Redis is away others tell', async () => {
    sharing.tick();
    await vi.advanceTimersByTimeAsync(1);
    failure = new Error('away');
    await exchange();
    failure = null;
    await exchange();
    expect(told).toEqual([]);
    failure = Object.assign(new Error('OOM command not allowed'), { name: 'ReplyError' });
    await exchange();
    await exchange();
    failure = null;
    await exchange();
    expect(told).toMatchObject([
      { level: 'warn', err: { message: 'OOM command not allowed' } },
      { level: 'info', msg: 'rate limit is shared again' },
    ]);
  });

  it('tells nothing any more once it is stopped', async () => {
    exchangeMs = 100;
    sharing.exchange();
    sharing.stop();
    await vi.advanceTimersByTimeAsync(200);
    sharing.exchange();
    await vi.advanceTimersByTimeAsync(200);
    expect([heard, missed]).toEqual([[], 0]);
  });
});
