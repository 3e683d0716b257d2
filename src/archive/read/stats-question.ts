import { OUTCOME_CODES, type Outcome } from '../../call/call.ts';
import type { Bucket } from './buckets.ts';
import type { CallFilter } from './call-filter.ts';

export interface StatsQuestion {
  /** `registeredFrom` and `registeredTo` bound the work. */
  filter: CallFilter & { registeredFrom: Date; registeredTo: Date };
  bucket: Bucket;
  /** UTC or an IANA name that Node knows: where buckets begin. */
  timeZone: string;
  groupBy: { account: true } | { reason: true } | { metadata: string } | null;
  /** Without them calls are counted alone, which takes a tenth of the time where the calls are asked. */
  withSeconds: boolean;
}

export interface Percentiles {
  p50: number;
  p90: number;
  p99: number;
}

/** The calls that were registered in one bucket, of one group. */
export interface StatsRow {
  /** Start of the bucket. */
  bucket: Date;
  /** Null without `groupBy`, and for calls without that key or without a reason. */
  group: string | null;
  calls: number;
  /** `none`: still followed. */
  outcomes: Record<Outcome | 'none', number>;
  /** Seconds of each finished stay of settled calls in a status; null without any. */
  queued: Percentiles | null;
  calling: Percentiles | null;
}

export interface Stats {
  /** By bucket, then group, calls without a group last. */
  rows: StatsRow[];
  /** How far percentiles may be from the exact ones. */
  percentiles: 'exact' | 'within 1 %';
}

/** A question with the beginnings of its buckets, and what an answer may be and take. */
export interface StatsTask extends Omit<StatsQuestion, 'bucket' | 'timeZone'> {
  /** Epoch milliseconds; the first is that of the bucket that `registeredFrom` is in. */
  starts: readonly number[];
  maxRows: number;
  /** By `performance.now()`. */
  deadline: number;
}

/** From the numbers of calls by the code of their outcome: 0 is none. */
export function outcomeCounts(counts: readonly number[]): Pick<StatsRow, 'calls' | 'outcomes'> {
  const of = (outcome: Outcome) => counts[OUTCOME_CODES[outcome]] ?? 0;
  return {
    calls: counts.reduce((sum, count) => sum + count, 0),
    outcomes: {
      success: of('success'),
      failure: of('failure'),
      not_found: of('not_found'),
      lost: of('lost'),
      rejected: of('rejected'),
      abandoned: of('abandoned'),
      none: counts[0] ?? 0,
    },
  };
}
