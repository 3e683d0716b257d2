import { BUCKETS, type Question } from './question.ts';

/** Where buckets are drawn, in hundredths of the width: by their time, so that those without calls leave a gap. */
export function bucketScale({ from, to, bucket }: Question) {
  const width = BUCKETS[bucket];
  const end = from.getTime() + Math.max(1, Math.ceil((to.getTime() - from.getTime()) / width)) * width;
  const whole = end - from.getTime();
  return {
    width: (width / whole) * 100,
    at: (time: number) => ((time - from.getTime()) / whole) * 100,
  };
}

const ROUND = [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10];

/** The next round number, of which the half is round too. */
export function roundUp(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return (ROUND.find((step) => step * power >= value) ?? 10) * power;
}

const ROUND_SECONDS = [1, 2, 4, 10, 20, 30, 40, 60, 80, 120, 180, 240, 300, 360, 480, 600, 900, 1_200, 1_800];

/** The same of seconds, for which 60 is round. */
export function roundUpSeconds(seconds: number): number {
  return ROUND_SECONDS.find((step) => step >= seconds) ?? roundUp(seconds / 3_600) * 3_600;
}

const DAY: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'short' };
const HOUR: Intl.DateTimeFormatOptions = { hour: 'numeric', minute: '2-digit' };

/** How a bucket is called on an axis, and in full. */
export function bucketNames({ bucket, zone }: Question) {
  const timeZone = isZone(zone) ? zone : 'UTC';
  const short = new Intl.DateTimeFormat(undefined, { ...(bucket === 'hour' ? HOUR : DAY), timeZone });
  const full = new Intl.DateTimeFormat(undefined, {
    weekday: 'short',
    ...DAY,
    ...(bucket === 'hour' ? HOUR : {}),
    timeZone,
  });
  return {
    short: (time: number) => short.format(time),
    full: (time: number) => (bucket === 'week' ? `week of ${full.format(time)}` : full.format(time)),
  };
}

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
