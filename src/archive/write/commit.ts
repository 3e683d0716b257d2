import type { Pool, PoolClient } from 'pg';
import type { FollowedCall, Report } from '../../call/call.ts';
import { type FoldedCall, foldReports } from '../../call/fold.ts';
import { sqlState } from '../errors.ts';
import {
  amendLastTransitions,
  insertTransitions,
  type LockedRow,
  lockCalls,
  updateCalls,
} from './statements.ts';

/**
 * Writes the reports in one transaction: locks their calls, folds the reports over them as they then are, and writes
 * what that changes. Gives the calls that are there. Rejects with what Postgres says: then nothing is written, or all,
 * where the connection broke at the commit. To commit the same reports again adds no transition twice.
 */
export async function commitReports(pool: Pool, reports: readonly Report[]): Promise<FoldedCall[]> {
  const client = await pool.connect();
  let broken = true;
  try {
    await client.query('begin');
    const folded = foldReports(await lock(client, reports), reports);
    await write(client, folded);
    await client.query('commit');
    broken = false;
    return folded;
  } catch (error) {
    // Without a word of Postgres the query may still run there, and a rollback would wait behind it.
    broken = sqlState(error) === null || !(await rolledBack(client));
    throw error;
  } finally {
    client.release(broken);
  }
}

async function rolledBack(client: PoolClient): Promise<boolean> {
  return client.query('rollback').then(
    () => true,
    () => false,
  );
}

async function lock(client: PoolClient, reports: readonly Report[]): Promise<FollowedCall[]> {
  const callSids = [...new Set(reports.map(({ callSid }) => callSid))];
  const { rows } = await client.query<LockedRow>(lockCalls(callSids));
  return rows.map(({ callSid, account, polls, ageMs, ...state }) => ({
    callSid,
    account,
    state,
    ageMs,
    polls,
  }));
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
