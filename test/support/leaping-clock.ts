import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../src/tracking/clock.ts';

/**
 * A clock whose sleeps are over at once, and which stands still in between: hours of following in a moment. It does
 * not leap before what `settled` waits for is done.
 */
export function leapingClock(settled: () => Promise<unknown>): Clock & { sleeps: number[] } {
  const start = Date.now();
  let elapsed = 0;
  const sleeps: number[] = [];
  return {
    sleeps,
    now: () => new Date(start + elapsed),
    monotonic: () => elapsed,
    async sleep(ms, signal) {
      await settled();
      // Whoever waited for the same may end the sleep.
      await setImmediate();
      if (signal.aborted) return;
      sleeps.push(ms);
      elapsed += ms;
    },
  };
}
