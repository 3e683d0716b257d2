import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../src/clock.ts';

/**
 * A clock whose sleeps are over at once, and which stands still in between: hours of following in a moment. It does
 * not leap before what `settled` waits for is done.
 */
export function leapingClock(settled: () => Promise<unknown>): Clock & { sleeps: number[] } {
  const start = Date.now();
  let elapsed = 0;
  const sleeps: number[] = [];
  async function sleep(ms: number, signal: AbortSignal): Promise<void> {
    await settled();
    // Whoever waited for the same may end the sleep.
    await setImmediate();
    if (signal.aborted || ms === 0) return;
    sleeps.push(ms);
    elapsed += ms;
  }

  return {
    sleeps,
    now: () => new Date(start + elapsed),
    monotonic: () => elapsed,
    sleep,
    sleeper: (signal) => (ms) => sleep(ms, signal),
  };
}
