/** A check that is asked for often, and made one at a time with a gap after each. */
export interface Checks {
  /** Has the next check made in so many milliseconds at the latest, gap aside. */
  within(ms: number): void;
  stop(): void;
}

/** `check` must not reject. */
export function createChecks({ check, gapMs }: { check: () => Promise<void>; gapMs: number }): Checks {
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
    await check();
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
