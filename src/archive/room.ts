/** A line of those who wait for room. */
export interface Room {
  /** Takes when there is room, in the order of the line. Rejects where none comes in time, and as `take` does. */
  enter<Taken>(take: () => Promise<Taken>): Promise<Taken>;
  /** There may be room for so many more. */
  more(count?: number): void;
}

/** `isThere` says whether there is room for one more now; whoever is let in takes it in the same moment. */
export function createRoom({ isThere, patienceMs }: { isThere: () => boolean; patienceMs: number }): Room {
  let line: (() => void)[] = [];

  /** Whether there was a call for this one, before its time was over. */
  function called(ms: number, isFirst: boolean): Promise<boolean> {
    return new Promise((resolve) => {
      const call = () => {
        clearTimeout(timer);
        resolve(true);
      };
      const timer = setTimeout(() => {
        line = line.filter((other) => other !== call);
        resolve(false);
      }, ms);
      if (isFirst) line.unshift(call);
      else line.push(call);
    });
  }

  return {
    async enter(take) {
      if (line.length === 0 && isThere()) return take();
      const deadline = performance.now() + patienceMs;
      // Whoever was called, and came too late, is the first one again.
      for (let calls = 0; ; calls++) {
        if (!(await called(deadline - performance.now(), calls > 0))) {
          throw new Error('timeout exceeded when trying to connect');
        }
        if (isThere()) return take();
      }
    },
    more(count = 1) {
      for (const call of line.splice(0, count)) call();
    },
  };
}
