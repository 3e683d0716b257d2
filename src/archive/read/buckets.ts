/** Where the hours, days, weeks and months of a time zone begin. Pure, but for the time zones that Node knows. */

export const BUCKETS = ['hour', 'day', 'week', 'month'] as const;
export type Bucket = (typeof BUCKETS)[number];

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;
/** 5 January 1970, a Monday. */
const FIRST_MONDAY_MS = 4 * DAY_MS;
/** Longer than any bucket. */
const BEFORE_MS = 32 * DAY_MS;

/** A time, in which the clocks of the zone were as far from UTC all along; milliseconds since 1970. */
interface Stretch {
  from: number;
  to: number;
  offset: number;
}

/**
 * The beginnings of the buckets that there is a time of between `from` and `to`, in order: the first is that of the
 * bucket that `from` is in. Epoch milliseconds. A day that the clocks repeat an hour of, or leave one out of, is one
 * day; an hour that comes twice is two.
 */
export function bucketStarts(bucket: Bucket, timeZone: string, from: number, to: number): number[] {
  const starts: number[] = [];
  let last = -Infinity;
  for (const { from: begin, to: end, offset } of stretches(timeZone, from - BEFORE_MS, to)) {
    const first = numberOf(bucket, begin + offset);
    // The clocks went forward over the beginning of a bucket; an hour begins with each change of them, but for one by a
    // whole hour within an hour, which goes on.
    const isNew = bucket === 'hour' ? startOf(bucket, first) - offset !== starts.at(-1) : first > last;
    if (isNew) starts.push(begin);
    for (let number = Math.max(first, bucket === 'hour' ? first : last) + 1; ; number++) {
      const start = startOf(bucket, number) - offset;
      if (start >= end) break;
      starts.push(start);
      last = number;
    }
    last = Math.max(last, first);
  }
  return starts.slice(starts.findLastIndex((start) => start <= from));
}

/** The bucket that a time of the zone's clocks is in. */
function numberOf(bucket: Bucket, local: number): number {
  switch (bucket) {
    case 'hour':
      return Math.floor(local / HOUR_MS);
    case 'day':
      return Math.floor(local / DAY_MS);
    case 'week':
      return Math.floor((local - FIRST_MONDAY_MS) / WEEK_MS);
    case 'month': {
      const date = new Date(local);
      return date.getUTCFullYear() * 12 + date.getUTCMonth();
    }
  }
}

/** When the bucket begins, by the zone's clocks. */
function startOf(bucket: Bucket, number: number): number {
  switch (bucket) {
    case 'hour':
      return number * HOUR_MS;
    case 'day':
      return number * DAY_MS;
    case 'week':
      return FIRST_MONDAY_MS + number * WEEK_MS;
    case 'month':
      return Date.UTC(Math.floor(number / 12), number % 12);
  }
}

/** Looks once a week: no zone has changed its clocks, and changed them back, within one. */
function stretches(timeZone: string, from: number, to: number): Stretch[] {
  const offsetAt = offsetsOf(timeZone);
  const found: Stretch[] = [];
  let begin = from;
  for (let at = from; at < to; at += WEEK_MS) {
    const next = Math.min(at + WEEK_MS, to);
    if (offsetAt(at) === offsetAt(next)) continue;
    const change = changeBetween(at, next, offsetAt);
    found.push({ from: begin, to: change, offset: offsetAt(at) });
    begin = change;
  }
  return [...found, { from: begin, to, offset: offsetAt(to) }];
}

function changeBetween(from: number, to: number, offsetAt: (at: number) => number): number {
  const before = offsetAt(from);
  let [low, high] = [from, to];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(middle) === before) low = middle;
    else high = middle;
  }
  return high;
}

const OFFSET = /^GMT(?:([+-])(\d{2}):(\d{2})(?::(\d{2}))?)?$/;

/** How far the zone's clocks are from UTC at a time, in milliseconds; east is ahead. */
function offsetsOf(timeZone: string): (at: number) => number {
  const format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  return (at) => {
    const text = format.formatToParts(at).find(({ type }) => type === 'timeZoneName')?.value ?? '';
    const [, sign, hours = 0, minutes = 0, seconds = 0] = OFFSET.exec(text) ?? [];
    const ms = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
    return sign === '-' ? -ms : ms;
  };
}
