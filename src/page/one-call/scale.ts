import type { Life, Stretch } from './life.ts';

/** Where a time is drawn, in hundredths of the width. */
export interface Scale {
  at(time: number): number;
  /** From where on it is not to scale; null where all is. */
  brokenAt: number | null;
  ticks: { time: number; elapsed: number }[];
}

/** A silence of hours after a call of a minute would leave no room for the call: then it is cut short, and marked so. */
const LONG_SILENCE = 1.5;
const SHARE_OF_SILENCE = 0.3;
const MOST_TICKS = 6;
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400];

export function scaleOf({ whole, silence, stays }: Life): Scale {
  const known = silence === null ? 0 : silence.from - whole.from;
  const isBroken = silence !== null && stays.length > 0 && silence.to - silence.from > LONG_SILENCE * known;
  const plain: Stretch = isBroken && silence !== null ? { from: whole.from, to: silence.from } : whole;
  const width = isBroken ? 100 * (1 - SHARE_OF_SILENCE) : 100;
  const length = Math.max(1, plain.to - plain.from);
  return {
    at(time) {
      if (time <= plain.to) return (Math.max(0, time - plain.from) / length) * width;
      return width + ((time - plain.to) / Math.max(1, whole.to - plain.to)) * (100 - width);
    },
    brokenAt: isBroken ? width + (100 - width) / 2 : null,
    ticks: ticksOf(plain),
  };
}

function ticksOf({ from, to }: Stretch): Scale['ticks'] {
  const seconds = (to - from) / 1000;
  const step =
    STEPS_S.find((step) => seconds / step <= MOST_TICKS) ?? Math.ceil(seconds / MOST_TICKS / 86_400) * 86_400;
  const count = Math.floor(seconds / step);
  return Array.from({ length: count + 1 }, (_, index) => {
    const elapsed = index * step * 1000;
    return { time: from + elapsed, elapsed };
  });
}
