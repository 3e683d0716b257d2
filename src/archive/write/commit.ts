import type { Pool, PoolClient } from 'pg';
import type { Report } from '../../call/call.ts';
import { countsAnew } from '../../call/contribution.ts';
import { type FoldedCall, foldReports, tellsOfCall } from '../../call/fold.ts';
import { RowNotWrittenError } from '../errors.ts';
import { sqlState } from '../sql-states.ts';
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

/** Who has locked a row is not waited for; and a transaction that takes longer for it is a forgotten one. */
const UNLOCKED = `begin; set local lock_timeout = '100ms'`;
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Writes the reports in one transaction: folds them over the calls that they tell of, and writes what that changes, and
 * what it changes of the statistics. Rejects with what Postgres says: then nothing is written, or all, where the
 * connection broke at the commit. To commit the same reports again adds no transition twice.
 *
 * A call is followed by one process, so hardly ever does another write its row between our reading and writing: the rows
 * are not locked first, which would write some 220 bytes of log per call. Where one is not as it was read, or somebody has
 * locked it, all of it is done again with the rows locked.
 */
export function commitReports(pool: Pool, reports: readonly Report[]): Promise<Committed> {
  return inTransaction(pool, UNLOCKED, async (client) => {
    const committed = await commitUnlocked(client, reports);
    if (committed !== null) return committed;
    await client.query('rollback');
    await client.query('begin');
    return commitLocked(client, reports);
  });
}

/** null where the rows have to be locked first; then nothing may be committed. */
async function commitUnlocked(client: PoolClient, reports: readonly Report[]): Promise<Committed | null> {
  const rows = await readCalls(client, callSidsOf(reports));
  const { folded, changes } = fold(rows, reports);
  // What a settled call counts for is taken out before it changes.
  if (changes.some(({ folded }) => folded.wasSettled && folded.isToldOf)) return null;
  try {
    if (!(await writeCounted(client, changes))) return null;
  } catch (error) {
    if (sqlState(error) === LOCK_NOT_AVAILABLE) return null;
    throw error;
  }
  return { folded, busy: new Set(), toTell: await tell(client, changes) };
}

async function commitLocked(client: PoolClient, reports: readonly Report[]): Promise<Committed> {
  const toldOf = callSidsOf(reports.filter(tellsOfCall));
  const isToldOf = new Set(toldOf);
  const locked = await lockCalls(client, toldOf);
  const busy = await busyAmong(client, toldOf, locked);
  const others = callSidsOf(reports).filter((callSid) => !isToldOf.has(callSid));
  const { folded, changes } = fold([...locked, ...(await readCalls(client, others))], reports);
  if (!(await writeCounted(client, changes))) throw new RowNotWrittenError();
  return { folded, busy, toTell: await tell(client, changes) };
}

function callSidsOf(reports: readonly Report[]): string[] {
  return [...new Set(reports.map(({ callSid }) => callSid))];
}

function fold(rows: readonly CallToWrite[], reports: readonly Report[]) {
  const calls = rows.map(({ call }) => call);
  const folded = foldReports(calls, reports);
  return { folded, changes: changesOf(rows, folded) };
}

function changesOf(rows: readonly CallToWrite[], folded: readonly FoldedCall[]): Change[] {
  const byCallSid = new Map(rows.map((row) => [row.call.callSid, row]));
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
  const isLocked = new Set(locked.map(({ call }) => call.callSid));
  const others = callSids.filter((callSid) => !isLocked.has(callSid));
  const { rows } = await client.query<{ callSid: string }>(registeredAmong(others));
  return new Set(rows.map(({ callSid }) => callSid));
}

/** False where a row is not as it was read any more. */
async function writeCounted(client: PoolClient, calls: readonly Change[]): Promise<boolean> {
  if (calls.length === 0) return true;
  const counted = calls.filter(({ folded }) => countsAnew(folded));
  const idsOf = (wasSettled: boolean) =>
    counted.filter(({ folded }) => folded.wasSettled === wasSettled).map(({ before }) => before.id);
  const areWritten = await countedAnew(client, idsOf(true), () => writeChanges(client, calls));
  if (areWritten) await settleInRollups(client, idsOf(false));
  return areWritten;
}

async function tell(client: PoolClient, changes: readonly Change[]): Promise<number> {
  const telling = tellWebhooks(changes);
  return telling === null ? 0 : ((await client.query(telling)).rowCount ?? 0);
}
