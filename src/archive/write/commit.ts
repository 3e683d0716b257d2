import type { Pool, PoolClient } from 'pg';
import type { FollowedCall, Report } from '../../call/call.ts';
import { countsAnew } from '../../call/contribution.ts';
import { type FoldedCall, foldReports, tellsOfCall } from '../../call/fold.ts';
import { inTransaction } from '../transaction.ts';
import { type CallToWrite, lockCalls, readCalls } from './calls-to-write.ts';
import { type Change, writeChanges } from './changes.ts';
import { tellWebhooks } from './outbox.ts';
import { countedAnew, settleInRollups } from './rollup-changes.ts';
import { registeredAmong } from './statements.ts';

/** What became of the calls of a batch; one that is in neither list is not registered. */
export interface Committed {
  folded: FoldedCall[];
  /** callSids of calls whose rows another transaction has locked: nothing of them is written. */
  busy: ReadonlySet<string>;
  /** How many deliveries to webhooks wait since. */
  toTell: number;
}

/**
 * Writes the reports in one transaction: locks the calls that they tell of, folds the reports over them as they then
 * are, and writes what that changes, and what it changes of the statistics. Rejects with what Postgres says: then
 * nothing is written, or all, where the connection broke at the commit. To commit the same reports again adds no
 * transition twice.
 */
export function commitReports(pool: Pool, reports: readonly Report[]): Promise<Committed> {
  return inTransaction(pool, 'begin', async (client) => {
    const toldOf = new Set(reports.filter(tellsOfCall).map(({ callSid }) => callSid));
    const others = reports.map(({ callSid }) => callSid).filter((callSid) => !toldOf.has(callSid));
    const locked = await lockCalls(client, [...toldOf]);
    const busy = await busyAmong(client, [...toldOf], locked);
    const rows = [...locked, ...(await readCalls(client, [...new Set(others)]))];
    const folded = foldReports(rows.map(followedCall), reports);
    const changes = changesOf(rows, folded);
    if (changes.length > 0) await writeCounted(client, changes);
    return { folded, busy, toTell: await tell(client, changes) };
  });
}

function followedCall(row: CallToWrite): FollowedCall {
  const { id: _, failedPolls: __, bodyForm: ___, callSid, account, polls, ageMs, silentMs, ...state } = row;
  return { callSid, account, state, ageMs, silentMs, polls };
}

function changesOf(rows: readonly CallToWrite[], folded: readonly FoldedCall[]): Change[] {
  const byCallSid = new Map(rows.map((row) => [row.callSid, row]));
  return folded.flatMap((call) => {
    const before = byCallSid.get(call.callSid);
    return before === undefined ? [] : [{ before, folded: call }];
  });
}

/** The calls that are there and were not locked. All others are not registered, or no more. */
async function busyAmong(
  client: PoolClient,
  callSids: readonly string[],
  locked: readonly CallToWrite[],
): Promise<Set<string>> {
  if (locked.length === callSids.length) return new Set();
  const isLocked = new Set(locked.map(({ callSid }) => callSid));
  const others = callSids.filter((callSid) => !isLocked.has(callSid));
  const { rows } = await client.query<{ callSid: string }>(registeredAmong(others));
  return new Set(rows.map(({ callSid }) => callSid));
}

async function writeCounted(client: PoolClient, calls: readonly Change[]): Promise<void> {
  const counted = calls.filter(({ folded }) => countsAnew(folded));
  const idsOf = (wasSettled: boolean) =>
    counted.filter(({ folded }) => folded.wasSettled === wasSettled).map(({ before }) => before.id);
  await countedAnew(client, idsOf(true), () => writeChanges(client, calls));
  await settleInRollups(client, idsOf(false));
}

async function tell(client: PoolClient, changes: readonly Change[]): Promise<number> {
  const telling = tellWebhooks(changes);
  return telling === null ? 0 : ((await client.query(telling)).rowCount ?? 0);
}
