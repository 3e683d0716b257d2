import type { Pool, PoolClient } from 'pg';
import type { FollowedCall, Report } from '../../call/call.ts';
import { type FoldedCall, foldReports } from '../../call/fold.ts';
import { inTransaction } from '../transaction.ts';
import {
  amendLastTransitions,
  insertTransitions,
  type LockedRow,
  lockCalls,
  registeredAmong,
  updateCalls,
} from './statements.ts';

/** What became of the calls of a batch; one that is in neither list is not registered. */
export interface Committed {
  folded: FoldedCall[];
  /** callSids of calls whose rows another transaction has locked: nothing of them is written. */
  busy: ReadonlySet<string>;
}

/**
 * Writes the reports in one transaction: locks their calls, folds the reports over them as they then are, and writes
 * what that changes. Rejects with what Postgres says: then nothing is written, or all, where the connection broke at
 * the commit. To commit the same reports again adds no transition twice.
 */
export function commitReports(pool: Pool, reports: readonly Report[]): Promise<Committed> {
  return inTransaction(pool, 'begin', async (client) => {
    const callSids = [...new Set(reports.map(({ callSid }) => callSid))];
    const locked = await lock(client, callSids);
    const busy = await busyAmong(client, callSids, locked);
    const folded = foldReports(locked, reports);
    if (folded.length > 0) await write(client, folded);
    return { folded, busy };
  });
}

async function lock(client: PoolClient, callSids: readonly string[]): Promise<FollowedCall[]> {
  const { rows } = await client.query<LockedRow>(lockCalls(callSids));
  return rows.map(({ callSid, account, polls, ageMs, silentMs, ...state }) => ({
    callSid,
    account,
    state,
    ageMs,
    silentMs,
    polls,
  }));
}

/** The calls that are there and were not locked. All others are not registered, or no more. */
async function busyAmong(
  client: PoolClient,
  callSids: readonly string[],
  locked: readonly FollowedCall[],
): Promise<Set<string>> {
  if (locked.length === callSids.length) return new Set();
  const isLocked = new Set(locked.map(({ callSid }) => callSid));
  const others = callSids.filter((callSid) => !isLocked.has(callSid));
  const { rows } = await client.query<{ callSid: string }>(registeredAmong(others));
  return new Set(rows.map(({ callSid }) => callSid));
}

async function write(client: PoolClient, calls: readonly FoldedCall[]): Promise<void> {
  await client.query(updateCalls(calls));
  const amendments = calls.flatMap(({ callSid, amendment }) =>
    amendment === null ? [] : [{ callSid, sighting: amendment }],
  );
  if (amendments.length > 0) await client.query(amendLastTransitions(amendments));
  const added = calls.flatMap(({ callSid, transitions }) =>
    transitions.map((sighting, index) => ({ callSid, ordinal: index + 1, sighting })),
  );
  if (added.length > 0) await client.query(insertTransitions(added));
}
