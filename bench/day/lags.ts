import { quantile } from '../quantile.ts';
import type { Placed } from './programme.ts';

/** A change at PolyAI and when it was in the archive. */
export interface Lag {
  changedAt: number;
  ms: number;
}

export interface Summary {
  changes: number;
  p50: number;
  p99: number;
}

export function lagsOf(
  calls: ReadonlyMap<string, Placed>,
  seen: readonly { callSid: string; status: string; at: number }[],
): Lag[] {
  return seen.flatMap(({ callSid, status, at }) => {
    const call = calls.get(callSid);
    if (call === undefined || status === 'queued') return [];
    const changedAt = status === 'calling' ? call.callingAt : call.endsAt;
    return [{ changedAt, ms: at - changedAt }];
  });
}

/** Of the changes that happened from then until then. */
export function summaryOf(lags: readonly Lag[], from: number, until: number): Summary {
  const within = lags.filter(({ changedAt }) => changedAt >= from && changedAt < until).map(({ ms }) => ms);
  return { changes: within.length, p50: quantile(within, 0.5), p99: quantile(within, 0.99) };
}
