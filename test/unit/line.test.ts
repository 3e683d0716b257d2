import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLine, type Line, type Slot } from '../../src/accounts/line.ts';
import { systemClock } from '../../src/clock.ts';
import { seededRandom } from '../../src/simulator/random.ts';

const NEVER = Number.POSITIVE_INFINITY;

let line: Line;
/** Who had a slot or was let go, in this order. */
let left: [name: string, hasSlot: boolean][];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  line = createLine(systemClock);
  left = [];
});

afterEach(() => {
  line.close();
  vi.useRealTimers();
});

const now = () => systemClock.monotonic();
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const slots = () => left.filter(([, hasSlot]) => hasSlot).map(([name]) => name);

/** Has the poll wait; aborts it when called. */
function join(name: string, { dueAt = now(), until = NEVER } = {}): () => void {
  const ending = new AbortController();
  void line.slot(dueAt, until, ending.signal).then((slot) => left.push([name, slot !== null]));
  return () => ending.abort();
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

/** A line at so many per second that has just had a slot. */
function busyAt(perSecond: number): void {
  line.setRate(perSecond);
  line.charge();
}

/** Takes a slot that is to be had at once, or null. */
async function take(): Promise<Slot | null> {
  const slot = line.slot(now(), NEVER, new AbortController().signal);
  return Promise.race([slot, pass(0).then(() => null)]);
}

describe('a line that gives so many slots at a time', () => {
  it('gives another when one is given back, to the poll that became due first', async () => {
    line.setAtOnce(2);
    const [one, other] = [await take(), await take()];
    join('late', { dueAt: 20 });
    join('early', { dueAt: 10 });
    await pass(60_000);
    expect(slots()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
    one?.giveBack();
    await pass(0);
    expect(slots()).toEqual(['early']);
    other?.giveBack();
    await pass(0);
    expect(slots()).toEqual(['early', 'late']);
  });

  it('keeps to its rate also where many are given back together', async () => {
    line.setRate(10);
    line.setAtOnce(10);
    const out: (Slot | null)[] = [];
    for (let n = 0; n < 10; n++) {
      out.push(await take());
      await pass(100);
    }
    for (let n = 0; n < 20; n++) join(`${n}`);
    await pass(10_000);
    for (const slot of out) slot?.giveBack();
    await pass(0);
    expect(slots()).toHaveLength(1);
    await pass(500);
    expect(slots()).toHaveLength(6);
  });

  it('gives more as soon as it may, and lets go of who waits for one no more', async () => {
    line.setAtOnce(1);
    await take();
    join('short', { until: now() + 500 });
    join('stays');
    join('aborted')();
    await pass(1_000);
    line.look();
    await pass(0);
    expect(left).toEqual([
      ['short', false],
      ['aborted', false],
    ]);
    line.setAtOnce(2);
    await pass(0);
    expect(slots()).toEqual(['stays']);
  });

  it('has as many out as it may while anybody waits, the earliest first', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(fc.nat(9)), { maxLength: 60 }), async (dueOrGivenBack) => {
        const many = createLine(systemClock);
        many.setAtOnce(3);
        const out: Slot[] = [];
        const waiting: number[] = [];
        const { signal } = new AbortController();
        const had: number[] = [];
        for (const dueAt of dueOrGivenBack) {
          if (dueAt === null) out.pop()?.giveBack();
          else {
            waiting.push(dueAt);
            void many.slot(dueAt, NEVER, signal).then((slot) => {
              if (slot !== null && had.push(dueAt)) out.push(slot);
            });
          }
          await pass(0);
          waiting.sort((a, b) => a - b);
          for (const due of had.splice(0)) expect(due).toBe(waiting.shift());
          expect(many.waiting).toBe(waiting.length);
          expect(out.length).toBeLessThanOrEqual(3);
          if (waiting.length > 0) expect(out).toHaveLength(3);
        }
        many.close();
      }),
    );
  });
});

describe('a line', () => {
  it('without a limit lets everyone go at once', async () => {
    for (let n = 0; n < 100; n++) join(`${n}`);
    await pass(0);
    expect(slots()).toHaveLength(100);
    expect(line.waiting).toBe(0);
  });

  it('gives the slot to the poll that became due first, and of two to the one that came first', async () => {
    busyAt(1);
    join('late', { dueAt: 30 });
    join('first', { dueAt: 10 });
    join('second', { dueAt: 20 });
    join('third', { dueAt: 20 });
    await pass(4_000);
    expect(slots()).toEqual(['first', 'second', 'third', 'late']);
  });

  it('lets a poll go at once that comes after a pause, and only that one', async () => {
    busyAt(10);
    await pass(60_000);
    for (const name of ['a', 'b', 'c']) join(name);
    await pass(0);
    expect(slots()).toEqual(['a']);
    await pass(99);
    expect(slots()).toEqual(['a']);
    await pass(1);
    expect(slots()).toEqual(['a', 'b']);
  });

  it('lets go of a poll that is aborted, which takes no slot', async () => {
    busyAt(1);
    const abort = join('aborted');
    join('other');
    abort();
    line.look();
    await pass(0);
    expect(left).toEqual([['aborted', false]]);
    expect(line.waiting).toBe(1);
    join('aborted, and not looked at', { dueAt: -1 })();
    await pass(1_000);
    expect(slots()).toEqual(['other']);
    expect(left).toHaveLength(3);
    join('last')();
    line.look();
    expect(vi.getTimerCount()).toBe(0);
    expect(await line.slot(0, NEVER, AbortSignal.abort())).toBeNull();
  });

  it('keeps nothing of those who left, though nobody has a slot', async () => {
    busyAt(0.001);
    join('stays');
    const signals: WeakRef<AbortSignal>[] = [];
    for (let n = 0; n < 5_000; n++) {
      const ending = new AbortController();
      signals.push(new WeakRef(ending.signal));
      void line.slot(0, NEVER, ending.signal);
      ending.abort();
    }
    line.look();
    expect(line.waiting).toBe(1);
    await new Promise((done) => setImmediate(done));
    collectGarbage();
    expect(signals.filter((signal) => signal.deref() !== undefined).length).toBeLessThan(10);
  });

  it('lets go of those whose time has passed, when it looks', async () => {
    busyAt(0.01);
    join('short', { until: now() + 500 });
    join('long', { until: now() + 1_500 });
    await pass(1_000);
    expect(left).toEqual([]);
    line.look();
    await pass(0);
    expect(left).toEqual([['short', false]]);
    expect(line.waiting).toBe(1);
  });

  it('holds everyone, and a shorter hold does not end a longer one', async () => {
    line.hold(5_000);
    line.hold(1_000);
    join('held');
    await pass(4_999);
    expect(slots()).toEqual([]);
    await pass(1);
    expect(slots()).toEqual(['held']);
  });

  it('is held at once also where the next slot was about to come, and makes up for nothing afterwards', async () => {
    busyAt(10);
    for (let n = 0; n < 100; n++) join(`${n}`);
    await pass(50);
    line.hold(5_000);
    await pass(4_999);
    expect(slots()).toHaveLength(0);
    await pass(1_001);
    expect(slots()).toHaveLength(11);
  });

  it('is held no longer because the rate falls meanwhile', async () => {
    busyAt(100);
    join('held');
    line.hold(5_000);
    line.setRate(50);
    line.setRate(1);
    await pass(5_000);
    expect(slots()).toEqual(['held']);
  });

  it('goes on at a new rate at once', async () => {
    busyAt(0.001);
    for (let n = 0; n < 1_000; n++) join(`${n}`);
    await pass(1_000);
    line.setRate(100);
    await pass(1_000);
    expect(slots().length).toBeGreaterThanOrEqual(99);
    expect(slots().length).toBeLessThanOrEqual(101);
    line.setRate(1);
    await pass(10_000);
    expect(slots().length).toBeLessThanOrEqual(112);
    line.setRate(NEVER);
    await pass(0);
    expect(slots()).toHaveLength(1_000);
  });

  it('counts a request that could not wait, and gives it every second slot', async () => {
    busyAt(1);
    for (let n = 0; n < 2; n++) line.charge();
    for (const name of ['a', 'b', 'c', 'd']) join(name);
    expect(line.takeAsked()).toBe(3);
    await pass(1_000);
    expect(slots()).toEqual(['a']);
    await pass(1_999);
    expect(slots()).toEqual(['a']);
    await pass(1);
    expect(slots()).toEqual(['a', 'b']);
    await pass(2_000);
    expect(slots()).toEqual(['a', 'b', 'c']);
    await pass(1_000);
    expect(slots()).toEqual(['a', 'b', 'c', 'd']);
    expect(line.takeAsked()).toBe(4);
    expect(line.takeAsked()).toBe(0);
  });

  it('keeps half of its rate for polls, however many requests do not wait', async () => {
    line.setRate(10);
    for (let n = 0; n < 200; n++) join(`${n}`);
    for (let n = 0; n < 1_000; n++) {
      line.charge();
      await pass(10);
    }
    expect(slots().length).toBeGreaterThanOrEqual(49);
    expect(slots().length).toBeLessThanOrEqual(52);
    // What they took beyond ten seconds' worth is forgiven.
    await pass(20_000);
    expect(line.waiting).toBeLessThan(52);
  });

  it('ends with nobody waiting and no timer', async () => {
    busyAt(1);
    join('a');
    line.close();
    join('b');
    await pass(0);
    expect(left).toEqual([
      ['a', false],
      ['b', false],
    ]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

it.each([7, 60, 333, 1_700])('%i polls per second are so many over a minute', async (perSecond) => {
  line.setRate(perSecond);
  let asked = 0;
  const caller = async () => {
    while (await line.slot(now(), NEVER, new AbortController().signal)) asked++;
  };
  for (let n = 0; n < 10; n++) void caller();
  await pass(60_000);
  expect(Math.abs(asked - 60 * perSecond)).toBeLessThanOrEqual(1);
});

it('a late timer is made up for, a long stall is not', async () => {
  let at = 0;
  const stalling = createLine({ monotonic: () => at });
  stalling.setRate(100);
  let asked = 0;
  for (let n = 0; n < 1_000; n++) {
    void stalling.slot(0, NEVER, new AbortController().signal).then(() => asked++);
  }
  await pass(0);
  expect(asked).toBe(1);
  at = 60;
  await pass(10);
  expect(asked).toBe(7);
  at = 10_000;
  await pass(10);
  expect(asked).toBe(13);
  stalling.close();
});

it('5,000 callers at 200 per second starve nobody', async () => {
  const random = seededRandom(1);
  const lastAt = new Map<number, number>();
  const intervals: number[] = [];
  line.setRate(200);
  const caller = async (name: number) => {
    const { signal } = new AbortController();
    while (await line.slot(now() + 2_000 + random() * 3_000, NEVER, signal)) {
      const before = lastAt.get(name);
      if (before !== undefined) intervals.push(now() - before);
      lastAt.set(name, now());
    }
  };
  for (let name = 0; name < 5_000; name++) void caller(name);
  await pass(100_000);
  expect(lastAt.size).toBe(5_000);
  const mean = intervals.reduce((sum, ms) => sum + ms, 0) / intervals.length;
  expect(Math.max(...intervals)).toBeLessThanOrEqual(2 * mean);
  const total = intervals.length + lastAt.size;
  expect(Math.abs(total / (200 * 100) - 1)).toBeLessThan(0.05);
});
