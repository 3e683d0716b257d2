import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { retryDelay } from '../../backoff.ts';
import type { FollowedCall, Outcome, Report, Sighting } from '../../call/call.ts';
import type { FoldedCall } from '../../call/fold.ts';
import { batched } from '../batch.ts';
import { ArchiveClosedError, isRefusal, ReportRefusedError } from '../errors.ts';
import { newsTeller } from '../news.ts';
import { commitReports } from './commit.ts';

const RETRY = { firstMs: 100, maxMs: 2_000 };

/** What is measured of the writes. */
export interface WriteMetrics {
  /** So many reports were committed at once. */
  wrote(reports: number, ms: number): void;
  /** `retried`: a batch, to be tried again; `refused`: one report, whose values Postgres does not take. */
  failed(kind: 'retried' | 'refused'): void;
  /** A transition was committed. */
  transition(account: string, sighting: Sighting): void;
  settled(account: string, outcome: Outcome): void;
}

export interface ArchiveWriter {
  /**
   * Commits what a follower has to say and returns the call as it then is, or null where it is not registered (any
   * more). While Postgres is away it waits and tries again. Rejects with `ReportRefusedError` for values that
   * Postgres refuses, with `ArchiveClosedError` where the writer was closed first.
   */
  report(report: Report): Promise<FollowedCall | null>;
  /** Writes fail, and are tried again. */
  readonly isAway: boolean;
  /** From so many milliseconds on, what is not committed is rejected: a shutdown cannot wait for Postgres for ever. */
  giveUpIn(ms: number): void;
}

export function createWriter({
  pool,
  metrics,
  log,
}: {
  pool: Pool;
  metrics: WriteMetrics;
  log: Logger;
}): ArchiveWriter {
  const closing = new AbortController();
  const report = batched(commit);
  const tellNews = newsTeller(pool);
  let away = false;

  async function commit(reports: readonly Report[]): Promise<(FollowedCall | null | Error)[]> {
    for (let failures = 1; ; failures++) {
      try {
        const calls = await unlessClosed(commitOnce(reports));
        if (away) log.info('writes succeed again');
        away = false;
        return calls;
      } catch (error) {
        if (error instanceof ArchiveClosedError) throw error;
        if (isRefusal(error)) return commitApart(reports, error);
        metrics.failed('retried');
        // One line per change of state, not one per attempt.
        if (!away)
          log.warn({ err: error, reports: reports.length }, 'write failed: trying again until it succeeds');
        away = true;
        const wait = retryDelay(failures, RETRY, Math.random);
        await sleep(wait, undefined, { signal: closing.signal }).catch(() => {});
      }
    }
  }

  /** Not by a race against one promise for all, which would keep what each batch brought. */
  function unlessClosed<Result>(work: Promise<Result>): Promise<Result> {
    const { signal } = closing;
    return new Promise((resolve, reject) => {
      const giveUp = () => reject(new ArchiveClosedError());
      if (signal.aborted) giveUp();
      signal.addEventListener('abort', giveUp, { once: true });
      work.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
    });
  }

  /** One report that Postgres refuses must not take the others of its batch with it. */
  async function commitApart(
    reports: readonly Report[],
    error: unknown,
  ): Promise<(FollowedCall | null | Error)[]> {
    const [first] = reports;
    if (reports.length === 1 && first !== undefined) {
      metrics.failed('refused');
      log.error({ err: error, callSid: first.callSid }, 'Postgres refuses a report');
      return [new ReportRefusedError(error instanceof Error ? error.message : 'refused')];
    }
    const middle = Math.ceil(reports.length / 2);
    return [...(await commit(reports.slice(0, middle))), ...(await commit(reports.slice(middle)))];
  }

  async function commitOnce(reports: readonly Report[]): Promise<(FollowedCall | null)[]> {
    const begunAt = performance.now();
    const folded = await commitReports(pool, reports);
    metrics.wrote(reports.length, performance.now() - begunAt);
    measure(folded, metrics);
    if (folded.some(isNews)) tellNews();
    const after = new Map(folded.map((call) => [call.callSid, call.after]));
    return reports.map(({ callSid }) => after.get(callSid) ?? null);
  }

  return {
    report,
    get isAway() {
      return away;
    },
    giveUpIn: (ms) => void setTimeout(() => closing.abort(), ms).unref(),
  };
}

/** Whether there is something for those who wait: a transition, or the end of a call that PolyAI showed none of. */
function isNews({ transitions, wasSettled, after }: FoldedCall): boolean {
  return transitions.length > 0 || (!wasSettled && after.state.outcome !== null);
}

function measure(calls: readonly FoldedCall[], metrics: WriteMetrics): void {
  for (const { transitions, wasSettled, after } of calls) {
    const { account, state } = after;
    for (const sighting of transitions) metrics.transition(account, sighting);
    if (!wasSettled && state.outcome !== null) metrics.settled(account, state.outcome);
  }
}
