import type { Clock } from '../../src/tracking/clock.ts';

/** A clock whose sleeps are over at once, and which stands still in between: hours of following in a moment. */
export function leapingClock(): Clock & { sleeps: number[] } {
  const start = Date.now();
  let elapsed = 0;
  const sleeps: number[] = [];
  return {
    sleeps,
    now: () => new Date(start + elapsed),
    monotonic: () => elapsed,
    async sleep(ms) {
      sleeps.push(ms);
      elapsed += ms;
    },
  };
}
