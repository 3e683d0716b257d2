/** A stretch of time, in milliseconds since the epoch. */
export interface Window {
  from: number;
  until: number;
}

export function covers(windows: readonly Window[], at: number): boolean {
  return windows.some(({ from, until }) => from <= at && at <= until);
}

export function widened({ from, until }: Window, beforeMs: number, afterMs: number): Window {
  return { from: from - beforeMs, until: until + afterMs };
}

/** How much of `within` the windows cover together. */
export function coveredMs(windows: readonly Window[], within: Window): number {
  let covered = 0;
  let reached = within.from;
  for (const { from, until } of windows.toSorted((a, b) => a.from - b.from)) {
    const start = Math.max(reached, from);
    const end = Math.min(within.until, until);
    if (end <= start) continue;
    covered += end - start;
    reached = end;
  }
  return covered;
}

/** When windows of every one of the groups cover the same moment. */
export function commonWindows(groups: readonly (readonly Window[])[]): Window[] {
  const [first = [], ...others] = groups;
  return others.reduce<Window[]>(
    (common, windows) => common.flatMap((one) => overlaps(one, windows)),
    [...first],
  );
}

function overlaps(one: Window, windows: readonly Window[]): Window[] {
  return windows
    .map(({ from, until }) => ({ from: Math.max(one.from, from), until: Math.min(one.until, until) }))
    .filter(({ from, until }) => from < until);
}
