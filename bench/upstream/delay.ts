/**
 * Calls back after the same time each, in order. One timer for all that is due: a timer for each answer would take more
 * than the answer.
 */
export function delayBy(ms: number): (work: () => void) => void {
  if (ms === 0) return (work) => work();
  const waiting: { at: number; work: () => void }[] = [];
  let next = 0;

  function run(): void {
    const now = performance.now();
    for (; next < waiting.length; next++) {
      const first = waiting[next];
      if (first === undefined || first.at > now) break;
      first.work();
    }
    // Array.shift would move all that wait, each time.
    waiting.splice(0, next);
    next = 0;
    const [first] = waiting;
    if (first !== undefined) setTimeout(run, Math.max(1, first.at - performance.now()));
  }

  return (work) => {
    waiting.push({ at: performance.now() + ms, work });
    if (waiting.length === 1) setTimeout(run, ms);
  };
}
