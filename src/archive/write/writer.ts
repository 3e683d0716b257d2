import type { Pool } from 'pg';
import type { Logger } from 'pino';
import type { FollowedCall, Outcome, Report, Sighting } from '../../call/call.ts';
import type { FoldedCall } from '../../call/fold.ts';
import { batched } from '../batch.ts';
import { ArchiveClosedError, ReportRefusedError } from '../errors.ts';
import { newsTeller } from '../news.ts';
import { isRefusal } from '../sql-states.ts';
import { createAttempts } from './attempts.ts';
import { commitReports } from './commit.ts';
import { REDUCTIONS } from './reduction.ts';

/** Of a call whose row another transaction has locked. */
const BUSY_RETRY = { firstMs: 100, maxMs: 2_000 };
/** A transaction that holds a call for so many tries, some 10 s, is told of. */
const BUSY_TRIES_TOLD = 8;
/** Where one report is not taken, nobody knows why, and no other is written for so long, writes are away. */
const UNCLEAR_ALONE_MS = 10_000;
const UNCLEAR_RETRY = { firstMs: 2_000, maxMs: 60_000 };

/** What is measured of the writes. */
export interface WriteMetrics {
  /** So many reports were committed at once. */
  wrote(reports: number, ms: number): void;
  /**
   * `retried`: a batch, to be tried again. `reduced`: one report, of which Postgres took the status and the times, and
   * refused what came with them. `refused`: one report, of which it takes nothing.
   */
  failed(kind: 'retried' | 'reduced' | 'refused'): void;
  /** A transition was committed. */
  transition(account: string, sighting: Sighting): void;
  settled(account: string, outcome: Outcome): void;
}

export interface ArchiveWriter {
  /**
   * Commits what a follower has to say and returns the call as it then is, or null where it is not registered (any
   * more). While Postgres is away, or the call's row locked, it waits and tries again. What Postgres refuses of a
   * report is left out: rejects with `ReportRefusedError` only where it refuses the status itself. Rejects with
   * `ArchiveClosedError` where the writer was closed first.
   */
  report(report: Report): Promise<FollowedCall | null>;
  /** Writes fail and are tried again, or have had no answer for 8 s; or one is not taken, and no other is written. */
  readonly isAway: boolean;
  /** From so many milliseconds on, what is not committed is rejected: a shutdown cannot wait for Postgres for ever. */
  giveUpIn(ms: number): void;
}

/**
 * What became of one report: it is written, and `call` is null where that is not registered; another transaction has
 * locked the call; or Postgres does not take it for a reason that nobody knows, so that it is tried again alone.
 */
type Written =
  | { kind: 'done'; call: FollowedCall | null }
  | { kind: 'busy' }
  | { kind: 'unclear'; error: unknown };

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
  const attempts = createAttempts({
    closing: closing.signal,
    onRetry: () => metrics.failed('retried'),
    log,
  });
  const commitSoon = batched(commit);
  const tellNews = newsTeller(pool, log);
  /** Reports that Postgres does not take, nobody knows why. */
  const unclear = new Set<Report>();
  let writtenAt = performance.now();
  const tellDeliveries = newsTeller(pool, log, 'deliveries');

  /** Thousands of reports wait at a time, and hardly one is tried again: only that one takes the memory of a loop. */
  function report(report: Report): Promise<FollowedCall | null> {
    return commitSoon(report).then((written) =>
      written.kind === 'done' ? written.call : reportAgain(report, written),
    );
  }

  async function reportAgain(report: Report, first: Written): Promise<FollowedCall | null> {
    let written = first;
    try {
      for (let tries = 1; written.kind !== 'done'; tries++) {
        tellOfTrouble(report, written, tries);
        if (written.kind === 'unclear') unclear.add(report);
        await attempts.pause(tries, written.kind === 'busy' ? BUSY_RETRY : UNCLEAR_RETRY);
        written = written.kind === 'busy' ? await commitSoon(report) : await commitAlone(report);
      }
      return written.call;
    } finally {
      unclear.delete(report);
    }
  }

  /** One line per report. */
  function tellOfTrouble({ callSid }: Report, written: Written, tries: number): void {
    if (written.kind === 'busy' && tries === BUSY_TRIES_TOLD) {
      log.warn({ callSid }, 'another session has locked a call: trying again until it lets go');
    }
    if (written.kind === 'unclear' && tries === 1) {
      log.error({ callSid, err: written.error }, 'Postgres does not take a report: trying again');
    }
  }

  async function commitAlone(report: Report): Promise<Written> {
    const [written] = await commit([report]);
    if (written instanceof Error) throw written;
    return written ?? { kind: 'done', call: null };
  }

  async function commit(reports: readonly Report[]): Promise<(Written | Error)[]> {
    try {
      return await attempts.untilDecided(() => commitOnce(reports));
    } catch (error) {
      if (error instanceof ArchiveClosedError) throw error;
      return commitApart(reports, error);
    }
  }

  /** One report that Postgres does not take must not take the others of its batch with it. */
  async function commitApart(reports: readonly Report[], error: unknown): Promise<(Written | Error)[]> {
    const [first] = reports;
    if (reports.length === 1 && first !== undefined) return [await commitReduced(first, error)];
    const middle = Math.ceil(reports.length / 2);
    return [...(await commit(reports.slice(0, middle))), ...(await commit(reports.slice(middle)))];
  }

  /** Tries it without ever more of what came with the status. */
  async function commitReduced(report: Report, error: unknown): Promise<Written | Error> {
    // What nobody knows the reason of may pass, and then all of it is written.
    if (!isRefusal(error) && !unclear.has(report)) return { kind: 'unclear', error };
    const { callSid } = report;
    for (const { without, reduce } of REDUCTIONS) {
      try {
        const [written] = await attempts.untilDecided(() => commitOnce([reduce(report)]));
        if (written?.kind === 'done') {
          metrics.failed('reduced');
          log.error({ err: error, callSid, without }, 'Postgres refuses a part of a report: kept without it');
        }
        return written ?? { kind: 'busy' };
      } catch (lessError) {
        if (lessError instanceof ArchiveClosedError) throw lessError;
      }
    }
    if (!isRefusal(error)) return { kind: 'unclear', error };
    metrics.failed('refused');
    log.error({ err: error, callSid }, 'Postgres refuses a report');
    return new ReportRefusedError(error instanceof Error ? error.message : 'refused');
  }

  async function commitOnce(reports: readonly Report[]): Promise<Written[]> {
    const begunAt = performance.now();
    const { folded, busy, toTell } = await commitReports(pool, reports);
    writtenAt = performance.now();
    metrics.wrote(reports.length, performance.now() - begunAt);
    measure(folded, metrics);
    if (folded.some(isNews)) tellNews();
    if (toTell > 0) tellDeliveries();
    const after = new Map(folded.map((call) => [call.callSid, call.after]));
    return reports.map(({ callSid }) =>
      busy.has(callSid) ? { kind: 'busy' } : { kind: 'done', call: after.get(callSid) ?? null },
    );
  }

  return {
    report,
    get isAway() {
      const isStuck = unclear.size > 0 && performance.now() - writtenAt > UNCLEAR_ALONE_MS;
      return attempts.isAway || isStuck;
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
