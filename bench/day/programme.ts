import { callSidOf } from '../lives.ts';
import type { Trouble } from '../upstream/answers.ts';

/** One part of the day; what is wrong is wrong for all of it. */
export interface Phase {
  name: string;
  /** Of the day: 0 to 24. */
  fromHour: number;
  untilHour: number;
  /** Calls that are placed at once when it begins. */
  campaign: number;
  trouble: Trouble;
}

const WELL: Trouble = { limitPerSecond: null, failing: 0 };
const CAMPAIGN = 5_000;

const limited = (limitPerSecond: number): Trouble => ({ limitPerSecond, failing: 0 });
const failing = (share: number): Trouble => ({ limitPerSecond: null, failing: share });

export const PROGRAMME: readonly Phase[] = [
  { name: 'night', fromHour: 0, untilHour: 5, campaign: 0, trouble: WELL },
  { name: 'campaign', fromHour: 5, untilHour: 8, campaign: CAMPAIGN, trouble: WELL },
  { name: 'a second one', fromHour: 8, untilHour: 10, campaign: CAMPAIGN, trouble: WELL },
  { name: 'one poll in five fails', fromHour: 10, untilHour: 12, campaign: CAMPAIGN, trouble: failing(0.2) },
  { name: 'PolyAI is away', fromHour: 12, untilHour: 12.5, campaign: 0, trouble: failing(1) },
  { name: 'it is back', fromHour: 12.5, untilHour: 15, campaign: 0, trouble: WELL },
  {
    name: 'limit of 100/s, campaign',
    fromHour: 15,
    untilHour: 18,
    campaign: CAMPAIGN,
    trouble: limited(100),
  },
  { name: 'limit of 50/s', fromHour: 18, untilHour: 20, campaign: 0, trouble: limited(50) },
  { name: 'no limit, campaign', fromHour: 20, untilHour: 22.5, campaign: CAMPAIGN, trouble: WELL },
  { name: 'late', fromHour: 22.5, untilHour: 24, campaign: 0, trouble: WELL },
];

/** Beside campaigns, all day. */
export const PLACED_PER_SECOND = 2;

/** How a day is run: an hour of the clock in so many milliseconds, and calls and their lives as a part of the real ones. */
export interface Scale {
  hourMs: number;
  /** 1 where lives are as long as PolyAI's, and campaigns as large as they are. */
  share: number;
}

/** A call of the day; times in milliseconds since the epoch. */
export interface Placed {
  callSid: string;
  placedAt: number;
  callingAt: number;
  endsAt: number;
}

/** Queued for 3 to 20 s, calling for 5 to 60 s. */
export function place(placedAt: number, n: number, { share }: Scale): Placed {
  const queuedMs = Math.round(share * (3_000 + Math.random() * 17_000));
  const callingMs = Math.round(share * (5_000 + Math.random() * 55_000));
  const callSid = callSidOf({ startsAt: placedAt, queuedMs, callingMs }, n);
  return { callSid, placedAt, callingAt: placedAt + queuedMs, endsAt: placedAt + queuedMs + callingMs };
}
