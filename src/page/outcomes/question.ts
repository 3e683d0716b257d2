import { OWN_ZONE } from '../words/times.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

export const PERIODS = {
  '24h': { words: 'Last 24 hours', ms: DAY, bucket: 'hour' },
  '7d': { words: 'Last 7 days', ms: 7 * DAY, bucket: 'day' },
  '30d': { words: 'Last 30 days', ms: 30 * DAY, bucket: 'day' },
  '90d': { words: 'Last 90 days', ms: 90 * DAY, bucket: 'week' },
} as const;
export type Period = keyof typeof PERIODS;

export const BUCKETS = { hour: HOUR, day: DAY, week: 7 * DAY } as const;
export type Bucket = keyof typeof BUCKETS;

/** What is to be counted. */
export interface Question {
  period: Period;
  bucket: Bucket;
  zone: string;
  account: string;
  /** `account` or `metadata.KEY`; empty: not apart. */
  by: string;
  from: Date;
  to: Date;
  /** As long before `from` as the period is. */
  before: Date;
}

export function questionOf(query: URLSearchParams, now: Date): Question {
  const period = isPeriod(query.get('period')) ?? '7d';
  const bucket = isBucket(query.get('bucket')) ?? PERIODS[period].bucket;
  const zone = query.get('zone') ?? OWN_ZONE;
  const from = beginOf(new Date(now.getTime() - PERIODS[period].ms), bucket, zone);
  const before = new Date(2 * from.getTime() - now.getTime());
  return {
    period,
    bucket,
    zone,
    account: query.get('account') ?? '',
    by: query.get('by') ?? '',
    from,
    to: now,
    before,
  };
}

function isPeriod(text: string | null): Period | undefined {
  return Object.keys(PERIODS).find((period): period is Period => period === text);
}

function isBucket(text: string | null): Bucket | undefined {
  return Object.keys(BUCKETS).find((bucket): bucket is Bucket => bucket === text);
}

/** The first whole bucket from then on begins here: an hour, a day or a Monday of the zone. */
export function beginOf(time: Date, bucket: Bucket, zone: string): Date {
  const { hours, minutes, seconds, weekday } = clockIn(time, zone);
  const sinceHour = (minutes * 60 + seconds) * 1000 + time.getMilliseconds();
  if (bucket === 'hour') return new Date(time.getTime() - sinceHour);
  const midnight = time.getTime() - sinceHour - hours * HOUR;
  return new Date(bucket === 'day' ? midnight : midnight - weekday * DAY);
}

const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

function clockIn(time: Date, zone: string) {
  const parts = formatFor(zone).formatToParts(time);
  const part = (type: string) => parts.find((part) => part.type === type)?.value ?? '';
  return {
    hours: Number(part('hour')) % 24,
    minutes: Number(part('minute')),
    seconds: Number(part('second')),
    weekday: WEEKDAYS.indexOf(part('weekday')),
  };
}

/** A zone that somebody made up is told of by polykeep; until then it is taken for UTC. */
function formatFor(zone: string): Intl.DateTimeFormat {
  const options = {
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hour12: false,
  } as const;
  try {
    return new Intl.DateTimeFormat('en-GB', { ...options, timeZone: zone });
  } catch {
    return new Intl.DateTimeFormat('en-GB', { ...options, timeZone: 'UTC' });
  }
}

/** Both periods at once: they are counted apart afterwards. */
export function mainPath({ bucket, zone, account, before, to }: Question): string {
  return path({
    bucket,
    timezone: zone,
    account,
    registeredFrom: before.toISOString(),
    registeredTo: to.toISOString(),
  });
}

/** The period in parts. */
export function groupPath({ zone, account, from, to }: Question, groupBy: string): string {
  const times = { registeredFrom: from.toISOString(), registeredTo: to.toISOString() };
  return path({ bucket: 'day', timezone: zone, account, groupBy, ...times });
}

/** Calls by the reason that PolyAI gave. They are counted call by call, so without the times that nobody looks at here. */
export function reasonsPath({ zone, account, from, to }: Question): string {
  const times = { registeredFrom: from.toISOString(), registeredTo: to.toISOString() };
  return path({ bucket: 'month', timezone: zone, account, groupBy: 'reason', seconds: 'false', ...times });
}

function path(fields: Record<string, string>): string {
  return `/v1/stats?${new URLSearchParams(Object.entries(fields).filter(([, value]) => value !== ''))}`;
}
