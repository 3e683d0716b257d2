import { beforeEach, describe, expect, it } from 'vitest';
import { Tally } from '../../src/accounts/tally.ts';

let tally: Tally;
let now: number;

beforeEach(() => {
  now = 0;
  tally = new Tally(1_000, now);
});

/** A tick in which so many were accepted here, and so many per second elsewhere. */
function tick(
  accepted: number,
  { others = 0, ms = 1_000 }: { others?: number | null; ms?: number } = {},
): void {
  for (let n = 0; n < accepted; n++) tally.accept();
  now += ms;
  tally.turn(now);
  tally.measure(others);
}

const lately = (others: number | null = 0) => tally.acceptedLately(others, now);

describe('what was accepted lately', () => {
  it('is not known before the first tick is over', () => {
    for (let n = 0; n < 50; n++) tally.accept();
    expect(lately()).toBeNull();
    tick(0);
    expect(lately()).toBe(50);
  });

  it('is the best of the last ten ticks, in all processes', () => {
    tick(90, { others: 200 });
    for (let n = 0; n < 9; n++) tick(10, { others: 20 });
    expect(lately()).toBe(290);
    tick(10, { others: 20 });
    expect(lately()).toBe(30);
  });

  it('is what was accepted in this tick, where that is more', () => {
    tick(10);
    for (let n = 0; n < 70; n++) tally.accept();
    now += 200;
    expect(lately(30)).toBe(100);
    expect(lately(null)).toBe(70);
  });

  it('is reckoned per second, however long a tick was', () => {
    tick(300, { ms: 3_000 });
    expect(lately()).toBe(100);
  });

  it('is not known where nothing was', () => {
    tick(0);
    expect(lately()).toBeNull();
  });

  it('leaves out a tick with a hold in it, and one of which the others tell nothing', () => {
    tick(10);
    tally.spoil();
    tick(80);
    expect(tally.acceptedPerSecond).toBeNull();
    tick(70, { others: null });
    expect(lately()).toBe(10);
  });

  it('leaves out what the last tick shows where a hold begins before the others are heard', () => {
    for (let n = 0; n < 50; n++) tally.accept();
    now += 1_000;
    tally.turn(now);
    expect(tally.acceptedPerSecond).toBe(50);
    tally.spoil();
    tally.measure(0);
    expect(tally.acceptedPerSecond).toBeNull();
    expect(lately()).toBeNull();
  });

  it('begins anew at a cut', () => {
    tick(100);
    expect(tally.isAccepting).toBe(true);
    for (let n = 0; n < 50; n++) tally.accept();
    tally.restart(now);
    expect([lately(), tally.isAccepting]).toEqual([null, false]);
    tick(30);
    expect(lately()).toBeNull();
    tick(40);
    expect(lately()).toBe(40);
  });

  it('is accepting also where only others are, and counts a tick once', () => {
    tick(0, { others: 5 });
    expect(tally.isAccepting).toBe(true);
    tally.measure(500);
    expect(lately()).toBe(5);
  });
});

it('what was accepted on the whole is counted from the cut on, with all that passed since', () => {
  tick(100);
  tally.restart(now);
  tick(30);
  tally.spoil();
  tick(0, { ms: 2_000 });
  expect(tally.acceptedSinceCut(now)).toBe(10);
});

it('what was accepted on the whole is counted from the end of a refusal to that of the next', () => {
  expect(tally.acceptedSinceResumed(now)).toBeNull();
  tally.resume(now);
  tick(300, { ms: 3_000 });
  // Two refusals that are but a moment apart are no window of a limit.
  expect(tally.acceptedSinceResumed(now)).toBeNull();
  tally.restart(now);
  tick(0, { ms: 7_000 });
  expect(tally.acceptedSinceResumed(now)).toBe(30);
  tally.resume(now);
  expect(tally.acceptedSinceResumed(now)).toBeNull();
});

it('what is asked is counted in the last tick and in this one so far', () => {
  tally.ask(100);
  tick(0);
  expect(tally.asked).toBe(100);
  tally.ask(50);
  expect(tally.askedPerSecond(now + 500)).toBe(100);
  expect(tally.askedPerSecond(now)).toBe(150);
});
