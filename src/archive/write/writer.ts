import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool, PoolClient } from 'pg';
import type { Logger } from 'pino';
import { retryDelay } from '../../backoff.ts';
import type { CallState, FollowedCall, Outcome, Report, Sighting } from '../../call/call.ts';
import { type FoldedCall, foldReports } from '../../call/fold.ts';
import { batched } from '../batch.ts';
import { ArchiveClosedError, isRefusal, ReportRefusedError, sqlState } from '../errors.ts';
import { newsTeller } from '../news.ts';
import { AMEND_LAST_TRANSITIONS, INSERT_TRANSITIONS, LOCK_CALLS, UPDATE_CALLS } from './statements.ts';

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
    const client = await pool.connect();
    let broken = true;
    try {
      await client.query('begin');
      const locked = await lockCalls(client, reports);
      const folded = foldReports(locked, reports);
      await write(client, folded);
      await client.query('commit');
      broken = false;
      metrics.wrote(reports.length, performance.now() - begunAt);
      measure(folded, metrics);
      if (folded.some(isNews)) tellNews();
      const after = new Map(folded.map((call) => [call.callSid, call.after]));
      return reports.map(({ callSid }) => after.get(callSid) ?? null);
    } catch (error) {
      // Without a word of Postgres the query may still run there, and a rollback would wait behind it.
      broken = sqlState(error) === null || !(await rolledBack(client));
      throw error;
    } finally {
      client.release(broken);
    }
  }

  return {
    report,
    get isAway() {
      return away;
    },
    giveUpIn: (ms) => void setTimeout(() => closing.abort(), ms).unref(),
  };
}

async function rolledBack(client: PoolClient): Promise<boolean> {
  return client.query('rollback').then(
    () => true,
    () => false,
  );
}

interface LockedRow {
  call_sid: string;
  account: string;
  status: string | null;
  outcome: Outcome | null;
  reason: string | null;
  created_at: Date | null;
  last_updated: Date | null;
  first_seen_at: Date | null;
  last_seen_at: Date | null;
  settled_at: Date | null;
  polls: number;
  age_ms: number;
}

async function lockCalls(client: PoolClient, reports: readonly Report[]): Promise<FollowedCall[]> {
  const callSids = [...new Set(reports.map(({ callSid }) => callSid))];
  const { rows } = await client.query<LockedRow>({
    name: 'lock_calls',
    text: LOCK_CALLS,
    values: [callSids],
  });
  return rows.map((row) => ({
    callSid: row.call_sid,
    account: row.account,
    state: stateOf(row),
    ageMs: row.age_ms,
    polls: row.polls,
  }));
}

function stateOf(row: LockedRow): CallState {
  return {
    status: row.status,
    outcome: row.outcome,
    reason: row.reason,
    createdAt: row.created_at,
    lastUpdated: row.last_updated,
    firstSeenAt: row.first_seen_at,
    lastSeenAt: row.last_seen_at,
    settledAt: row.settled_at,
  };
}

/** A report of a settled call that brought nothing tells once more of its end: seldom, and harmless. */
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

async function write(client: PoolClient, calls: readonly FoldedCall[]): Promise<void> {
  const states = calls.map((call) => call.after.state);
  await client.query({
    name: 'update_calls',
    text: UPDATE_CALLS,
    values: [
      calls.map((call) => call.callSid),
      states.map((state) => state.status),
      states.map((state) => state.outcome),
      states.map((state) => state.reason),
      states.map((state) => state.createdAt),
      states.map((state) => state.lastUpdated),
      states.map((state) => state.firstSeenAt),
      states.map((state) => state.lastSeenAt),
      states.map((state) => state.settledAt),
      calls.map((call) => call.polls),
      calls.map((call) => call.failedPolls),
      calls.map((call) => call.lastError !== undefined),
      calls.map((call) => call.lastError ?? null),
      calls.map((call) => call.followForMs ?? null),
      calls.map((call) => call.lastBody ?? null),
    ],
  });

  const amended = calls.filter((call) => call.amendment !== null);
  if (amended.length > 0) {
    await client.query(AMEND_LAST_TRANSITIONS, [
      amended.map((call) => call.callSid),
      amended.map((call) => call.amendment?.reason),
      amended.map((call) => call.amendment?.lastUpdated),
      amended.map((call) => JSON.stringify(call.amendment?.payload)),
    ]);
  }

  const added = calls.flatMap(({ callSid, transitions }) =>
    transitions.map((sighting, index) => ({ callSid, ordinal: index + 1, sighting })),
  );
  if (added.length > 0) {
    await client.query({
      name: 'insert_transitions',
      text: INSERT_TRANSITIONS,
      values: [
        added.map((row) => row.callSid),
        added.map((row) => row.ordinal),
        added.map((row) => row.sighting.status),
        added.map((row) => row.sighting.reason),
        added.map((row) => row.sighting.changedAfter),
        added.map((row) => row.sighting.observedAt),
        added.map((row) => row.sighting.lastUpdated),
        added.map((row) => JSON.stringify(row.sighting.payload)),
      ],
    });
  }
}
