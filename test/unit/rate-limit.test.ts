import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RateReport } from '../../src/accounts/rate.ts';
import { createRateLimit, type RateLimit } from '../../src/accounts/rate-limit.ts';
import type { RateExchange } from '../../src/accounts/rate-sharing.ts';
import { type Clock, systemClock } from '../../src/clock.ts';

const NONE = Number.POSITIVE_INFINITY;
const now = () => systemClock.monotonic();
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

let limits: RateLimit[];
let logged: { level: number; msg: string; account: string; rate: number | null }[];

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
  });
  limits = [];
  logged = [];
  polyAi = 'accepts';
});

afterEach(() => {
  for (const limit of limits) limit.stop();
  vi.useRealTimers();
});

/** One process's part of the limit. */
function limit(
  max: number | null,
  exchange: RateExchange | null = null,
  clock: Pick<Clock, 'monotonic'> = systemClock,
): RateLimit {
  const log = pino(
    new Writable({
      write(line, _encoding, done) {
        logged.push(JSON.parse(`${line}`));
        done();
      },
    }),
  );
  const limit = createRateLimit({ account: 'acme', max, exchange, clock, log });
  limits.push(limit);
  return limit;
}

/** So many calls that want to be polled all the time, and are always accepted; returns how often each was polled. */
function callers(count: number, limit: RateLimit): number[] {
  const polls = Array<number>(count).fill(0);
  const poll = async (call: number) => {
    while (await limit.slot(now(), NONE, new AbortController().signal)) {
      polls[call] = (polls[call] ?? 0) + 1;
      limit.accepted(now());
    }
  };
  for (let call = 0; call < count; call++) void poll(call);
  return polls;
}

/** What PolyAI does with each request; set anew for each test. */
let polyAi: 'accepts' | 'refuses';

/** Asks so often per second, where it may, and is answered at once. Clear the interval that is returned. */
function asking(limit: RateLimit, perSecond: number) {
  const { signal } = new AbortController();
  return setInterval(async () => {
    if (!(await limit.slot(now(), NONE, signal))) return;
    if (polyAi === 'accepts') limit.accepted(now());
    else limit.tooMany(null, now());
  }, 1_000 / perSecond);
}

const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);

/** As Redis would: may be away, or hang. */
function board() {
  const reports = new Map<string, RateReport>();
  const state = { is: 'up' as 'up' | 'away' | 'hanging', exchanges: 0 };
  const exchange: RateExchange = {
    async exchange(_account, report) {
      state.exchanges++;
      if (state.is === 'away') throw new Error('away');
      if (state.is === 'hanging') await new Promise(() => {});
      reports.set(report.process, report);
      return [...reports.values()].filter(({ process }) => process !== report.process);
    },
  };
  return Object.assign(state, { exchange });
}

describe('a process alone', () => {
  it('has the whole configured rate', async () => {
    const polls = callers(10, limit(50));
    await pass(60_000);
    expect(Math.abs(sum(polls) - 3_000)).toBeLessThanOrEqual(1);
  });

  it('goes at once where none is configured, until a 429 leaves most of what was accepted, at once', async () => {
    const alone = limit(null);
    const running = asking(alone, 100);
    await pass(10_500);
    expect([alone.waiting, alone.rate]).toEqual([0, NONE]);
    alone.tooMany(null, now());
    expect(alone.rate).toBeCloseTo(0.9 * 101);
    clearInterval(running);
    await pass(0);
    expect(logged).toMatchObject([{ level: 30, account: 'acme', rate: alone.rate }]);
  });

  it('takes the 429s of one burst for one, and one that was asked 2 s later for another', async () => {
    const alone = limit(100);
    callers(500, alone);
    await pass(10_000);
    alone.tooMany(null, now());
    const { rate } = alone;
    expect(rate).toBeCloseTo(90, 0);
    const cutAt = now();
    for (let n = 0; n < 20; n++) {
      await pass(90);
      alone.tooMany(null, now());
    }
    // Late answers to what was asked in the burst.
    await pass(1_500);
    for (let n = 0; n < 20; n++) alone.tooMany(null, cutAt - n);
    expect(alone.rate).toBeGreaterThanOrEqual(rate);
    alone.tooMany(null, now());
    expect(alone.rate).toBeLessThan(rate);
  });

  it('probes once a second while all is refused, and goes on from where the cut left it', async () => {
    const alone = limit(null);
    asking(alone, 100);
    await pass(10_000);
    polyAi = 'refuses';
    await pass(100);
    expect(alone.rate).toBeCloseTo(0.9 * 101, 0);
    // That was asked before the first 429.
    alone.accepted(now() - 1_000);
    await pass(300);
    expect(alone.rate).toBe(1);
    const { waiting } = alone;
    await pass(60_000);
    // 6,000 wanted to ask.
    expect(alone.waiting - waiting).toBeGreaterThan(5_930);
    polyAi = 'accepts';
    await pass(1_000);
    expect(alone.rate).toBeCloseTo(90, -1);
    expect(logged.map(({ msg }) => msg.split(':')[0])).toEqual([
      'account slowed',
      'account probes',
      'account goes on',
    ]);
  });

  it('says once that it is slowed, however often it meets the limit, and once that it no longer is', async () => {
    const alone = limit(null);
    asking(alone, 100);
    await pass(10_000);
    for (let n = 0; n < 5; n++) {
      alone.tooMany(1_000, now());
      await pass(4_000);
    }
    const said = () => logged.map(({ msg }) => msg.split(':')[0]);
    expect(said()).toEqual(['account slowed']);
    await pass(180_000);
    expect(said()).toEqual(['account slowed', 'account slowed no more']);
  });

  it('waits as long as PolyAI asks, but no longer than five minutes', async () => {
    const alone = limit(null);
    alone.tooMany(10 * 60_000, now());
    const polls = callers(1, alone);
    await pass(300_000 - 1);
    expect(sum(polls)).toBe(0);
    expect(alone.rate).toBe(1);
    await pass(2_000);
    expect(sum(polls)).toBeGreaterThanOrEqual(1);
    expect(alone.rate).toBeLessThanOrEqual(2);
  });

  it('does not take for all that is accepted what little was asked between two holds', async () => {
    const alone = limit(100);
    callers(500, alone);
    await pass(10_000);
    alone.tooMany(1_700, now());
    await pass(2_050);
    alone.tooMany(1_000, now());
    expect(alone.rate).toBeLessThan(50);
    await pass(26_000);
    expect(alone.rate).toBeGreaterThan(95);
  });

  it('does not grow for the time in which it stood still', async () => {
    let stoodStill = 0;
    const alone = limit(100, null, { monotonic: () => now() + stoodStill });
    callers(500, alone);
    await pass(10_000);
    alone.tooMany(null, now());
    expect(alone.rate).toBeCloseTo(90);
    await pass(1_000);
    stoodStill = 600_000;
    await pass(1_000);
    expect(alone.rate).toBeGreaterThan(90);
    expect(alone.rate).toBeLessThan(99);
  });

  it('goes at a new configured rate at once', async () => {
    const alone = limit(1);
    const polls = callers(200, alone);
    await pass(100);
    alone.setMax(100);
    await pass(1_000);
    expect(sum(polls)).toBeGreaterThan(95);
    alone.setMax(null);
    expect(alone.rate).toBe(NONE);
    alone.setMax(3);
    expect(alone.rate).toBe(3);
  });

  it('counts what could not wait, and lets go of what waits too long', async () => {
    const alone = limit(0.2);
    alone.charge();
    const turn = alone.slot(now(), now() + 2_500, new AbortController().signal);
    await pass(2_000);
    expect(alone.waiting).toBe(1);
    await pass(1_000);
    expect(alone.waiting).toBe(0);
    expect(await turn).toBeNull();
  });

  it('ends with no timer and nobody waiting', async () => {
    const alone = limit(1);
    callers(5, alone);
    await pass(0);
    alone.stop();
    expect(alone.waiting).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('several processes', () => {
  it('share the rate, so that the interval of every call is stretched alike', async () => {
    const { exchange } = board();
    const [a, b] = [callers(300, limit(80, exchange)), callers(100, limit(80, exchange))];
    await pass(5_000);
    const before = [sum(a), sum(b)];
    await pass(60_000);
    const [ofA, ofB] = [sum(a) - (before[0] ?? 0), sum(b) - (before[1] ?? 0)];
    expect(Math.abs((ofA + ofB) / (80 * 60) - 1)).toBeLessThan(0.05);
    expect(Math.abs(ofA / ofB / 3 - 1)).toBeLessThan(0.05);
    expect(Math.min(...a, ...b)).toBeGreaterThanOrEqual(Math.max(...a, ...b) - 2);
  });

  it('are all slowed by a 429 of one, once, and held as long as it was asked to', async () => {
    const { exchange } = board();
    const [a, b] = [limit(100, exchange), limit(100, exchange)];
    const polls = callers(1_000, b);
    callers(1_000, a);
    await pass(10_000);
    a.tooMany(30_000, now());
    expect(a.rate).toBeCloseTo(90, -1);
    const { rate } = a;
    await pass(1_000);
    expect(b.rate).toBe(rate);
    const then = sum(polls);
    await pass(28_000);
    expect(sum(polls)).toBe(then);
    expect(b.rate).toBe(rate);
    // A hold is not handed to and fro: it ends.
    await pass(4_000);
    expect(sum(polls)).toBeGreaterThan(then + 25);
    expect(logged.filter(({ msg }) => msg.includes('slowed'))).toHaveLength(2);
  });

  it('that are all answered 429 at once are slowed once', async () => {
    const { exchange } = board();
    const all = [limit(300, exchange), limit(300, exchange), limit(300, exchange)];
    for (const each of all) callers(500, each);
    await pass(10_000);
    for (const each of all) {
      each.tooMany(null, now());
      await pass(100);
    }
    await pass(1_000);
    const rates = all.map(({ rate }) => rate);
    expect(Math.min(...rates)).toBeGreaterThan(260);
    expect(Math.max(...rates)).toBeLessThan(290);
  });

  it('go on together when one of them is accepted again', async () => {
    const { exchange } = board();
    const all = [limit(null, exchange), limit(null, exchange), limit(null, exchange)];
    const running = all.map((each) => asking(each, 100));
    await pass(10_000);
    polyAi = 'refuses';
    await pass(10_000);
    for (const each of all) expect(each.rate).toBe(1);
    for (const each of running) clearInterval(each);
    polyAi = 'accepts';
    all[1]?.accepted(now());
    await pass(1_100);
    for (const each of all) expect(each.rate).toBeGreaterThan(250);
  });

  it('hear of a cut within the second, since it is told at once', async () => {
    const redis = board();
    const [a, b] = [limit(100, redis.exchange), limit(100, redis.exchange)];
    callers(10, a);
    await pass(5_000);
    b.tooMany(null, now());
    expect(redis.exchanges).toBe(13);
    await pass(1_000);
    expect(a.rate).toBeLessThan(92);
  });

  it('that know what is accepted are not slowed to a probe by one that does not', async () => {
    const { exchange } = board();
    const [a, b] = [limit(null, exchange), limit(null, exchange)];
    asking(a, 100);
    asking(b, 100);
    await pass(10_000);
    const young = limit(null, exchange);
    await pass(0);
    young.tooMany(null, now());
    expect(young.rate).toBe(1);
    await pass(3_000);
    for (const each of [a, b, young]) expect(each.rate).toBeGreaterThan(150);
  });

  it('are not held for ever by the last word of one that is gone', async () => {
    const { exchange } = board();
    const [gone, b] = [limit(10, exchange), limit(10, exchange)];
    gone.tooMany(3_000, now());
    await pass(1_000);
    gone.stop();
    const polls = callers(1, b);
    await pass(1_000);
    expect(sum(polls)).toBe(0);
    await pass(4_000);
    expect(sum(polls)).toBeGreaterThan(0);
  });

  it('tell one that comes later', async () => {
    const { exchange } = board();
    const a = limit(null, exchange);
    callers(1, limit(40, exchange));
    a.tooMany(null, now());
    await pass(1_500);
    const late = limit(null, exchange);
    await pass(0);
    expect(late.rate).toBeLessThan(5);
  });

  it('forget a limit that limits nobody', async () => {
    const { exchange } = board();
    const all = [limit(null, exchange), limit(null, exchange), limit(null, exchange)];
    const running = all.map((each) => asking(each, 2));
    await pass(2_000);
    all[0]?.tooMany(null, now());
    await pass(2_000);
    for (const each of all) expect(each.rate).toBeLessThan(NONE);
    await pass(80_000);
    for (const each of all) expect(each.rate).toBe(NONE);
    // Another 429 is news all the same.
    all[1]?.tooMany(null, now());
    await pass(2_000);
    for (const each of running) clearInterval(each);
    for (const each of all) expect(each.rate).toBeLessThan(NONE);
    const said = logged.map(({ msg }) => msg.split(':')[0]);
    const slowed = Array(3).fill('account slowed');
    expect(said).toEqual([...slowed, ...Array(3).fill('account slowed no more'), ...slowed]);
  });

  it.each(['away', 'hanging'] as const)('keep their shares while Redis is %s', async (how) => {
    const redis = board();
    const [a, b] = [limit(80, redis.exchange), limit(80, redis.exchange)];
    callers(300, a);
    callers(100, b);
    await pass(5_000);
    const shares = [a.share, b.share];
    expect(sum(shares)).toBeCloseTo(80, 0);
    redis.is = how;
    await pass(30_000);
    callers(1_000, b);
    await pass(30_000);
    expect([a.share, b.share]).toEqual(shares);
    // The queue tells of it, once for all accounts.
    expect(logged.filter(({ level }) => level >= 30)).toEqual([]);
    if (how === 'hanging') return;
    redis.is = 'up';
    await pass(3_000);
    expect(b.share).toBeGreaterThan(2 * a.share);
  });

  it('exchange nothing while there is no limit and nothing is asked', async () => {
    const redis = board();
    const idle = limit(null, redis.exchange);
    await pass(60_000);
    expect(redis.exchanges).toBe(1);
    await idle.slot(now(), NONE, new AbortController().signal);
    await pass(60_000);
    expect(redis.exchanges).toBe(3);
  });

  it('hear of the limit as soon as they ask again', async () => {
    const redis = board();
    const idle = limit(null, redis.exchange);
    await pass(10_000);
    const busy = limit(null, redis.exchange);
    busy.tooMany(60_000, now());
    callers(1, busy);
    await pass(10_000);
    expect(idle.rate).toBe(NONE);
    await idle.slot(now(), NONE, new AbortController().signal);
    await pass(0);
    expect(idle.rate).toBe(busy.rate);
    void idle.slot(now(), NONE, new AbortController().signal);
    await pass(10_000);
    expect(idle.waiting).toBe(1);
  });
});
