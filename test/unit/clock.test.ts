import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock, within } from '../../src/clock.ts';

const LONG = 600_000;

describe('a sleeper', () => {
  it('sleeps so long, again and again', async () => {
    const sleep = systemClock.sleeper(new AbortController().signal);
    for (const ms of [0, 5, 5]) {
      const before = systemClock.monotonic();
      await sleep(ms);
      // A timer may be a millisecond early.
      expect(systemClock.monotonic() - before).toBeGreaterThanOrEqual(ms - 1);
    }
  });

  it('wakes in the same turn of the event loop as others whose times are near', async () => {
    let turns = 0;
    const never = new AbortController().signal;
    const woken = new Set<number>();
    const sleep = async (ms: number) => {
      await systemClock.sleeper(never)(ms);
      woken.add(turns);
    };
    const counting = setInterval(() => turns++, 1);
    await Promise.all(Array.from({ length: 40 }, (_, n) => sleep(50 + n / 2)));
    clearInterval(counting);
    // The times lie within 20 ms, and so in two steps.
    expect(woken.size).toBeLessThanOrEqual(2);
  });

  it('wakes in time beside others that sleep longer', async () => {
    const never = new AbortController().signal;
    const order: string[] = [];
    const sleep = async (ms: number, name: string) => {
      await systemClock.sleeper(never)(ms);
      order.push(name);
    };
    await Promise.all([sleep(150, 'long'), sleep(10, 'short'), sleep(80, 'middle')]);
    expect(order).toEqual(['short', 'middle', 'long']);
  });

  it('wakes when its signal is aborted, and sleeps no more', async () => {
    const stop = new AbortController();
    const sleep = systemClock.sleeper(stop.signal);
    await sleep(1);
    const sleeping = sleep(LONG);
    stop.abort();
    await sleeping;
    await sleep(LONG);
    await systemClock.sleeper(stop.signal)(LONG);
  });

  it('leaves no listener behind, however many follow under one signal', async () => {
    const stop = new AbortController();
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    for (let lease = 0; lease < 50; lease++) await systemClock.sleeper(stop.signal)(0);
    await new Promise((done) => setImmediate(done));
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
    const sleeping = systemClock.sleeper(stop.signal)(LONG);
    stop.abort();
    await sleeping;
  });
});

it('a sleep that is longer than a timer can be does not end at once', async () => {
  const stop = new AbortController();
  let over = false;
  const sleeping = systemClock.sleep(2 ** 40, stop.signal).then(() => {
    over = true;
  });
  await systemClock.sleep(20, new AbortController().signal);
  expect(over).toBe(false);
  stop.abort();
  await sleeping;
});

describe('work within a time', () => {
  const failure = new Error('failed');
  /** Rejections that nobody handled, from now on. */
  function unhandled(): unknown[] {
    const seen: unknown[] = [];
    const onUnhandled = (reason: unknown) => void seen.push(reason);
    process.on('unhandledRejection', onUnhandled);
    onTestFinished(() => void process.off('unhandledRejection', onUnhandled));
    return seen;
  }
  /** Node tells of them when the microtasks are done. */
  const toldOf = () => new Promise((done) => setImmediate(done));

  it('is told whether it ended, and tells itself how', async () => {
    const kept = Promise.resolve('kept');
    expect(await within(LONG, kept)).toBe(true);
    expect(await kept).toBe('kept');
    const broken = Promise.reject(failure);
    expect(await within(LONG, broken)).toBe(true);
    await expect(broken).rejects.toBe(failure);
    expect(await within(1, new Promise(() => {}))).toBe(false);
  });

  it.each([
    ['in time', LONG],
    ['too late', 1],
  ])('leaves no rejection unhandled that comes %s', async (_, ms) => {
    const rejections = unhandled();
    const work = Promise.withResolvers<void>();
    const ended = within(ms, work.promise);
    if (ms === LONG) work.reject(failure);
    expect(await ended).toBe(ms === LONG);
    work.reject(failure);
    await toldOf();
    expect(rejections).toEqual([]);
    await expect(work.promise).rejects.toBe(failure);
  });
});
