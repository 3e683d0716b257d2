import { AsyncResource } from 'node:async_hooks';

/** Runs a check that many ask for: one at a time, with a gap after each. */
interface Checks {
  /** Begins the next check within `ms` milliseconds, or as soon as the gap after the last one is over. */
  within(ms: number): void;
  stop(): void;
}

/** `check` must not reject; `gapMs` is the time from its end to the next beginning. */
export function createChecks({ check, gapMs }: { check: () => Promise<void>; gapMs: number }): Checks {
  // A check is for many: for traces it is no part of the request that asked for it first.
  const checkForAll = AsyncResource.bind(check);
  let timer: NodeJS.Timeout | undefined;
  let dueAt = Infinity;
  let freeAt = 0;
  let isRunning = false;
  let stopped = false;

  function within(ms: number): void {
    const at = performance.now() + ms;
    if (stopped || at >= dueAt) return;
    dueAt = at;
    if (!isRunning) schedule();
  }

  function schedule(): void {
    clearTimeout(timer);
    timer = setTimeout(run, Math.max(0, Math.max(dueAt, freeAt) - performance.now()));
  }

  async function run(): Promise<void> {
    dueAt = Infinity;
    isRunning = true;
    await checkForAll();
    isRunning = false;
    freeAt = performance.now() + gapMs;
    if (dueAt < Infinity && !stopped) schedule();
  }

  return {
    within,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
