import type { Pool, PoolClient } from 'pg';
import type { Report } from '../../call/call.ts';
import { countsAnew } from '../../call/contribution.ts';
import { type FoldedCall, foldReports, tellsOfCall } from '../../call/fold.ts';
import { RowNotWrittenError } from '../errors.ts';
import { sqlState } from '../sql-states.ts';
import { inTransaction } from '../transaction.ts';
import { type CallToWrite, lockCalls, readCalls } from './calls-to-write.ts';
import { type Change, writeChanges } from './changes.ts';
import { type KnownCalls, knownCalls } from './known-calls.ts';
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
export async function commitReports(pool: Pool, reports: readonly Report[]): Promise<Committed> {
  const { known, rows, ...committed } = await inTransaction(pool, UNLOCKED, async (client) => {
    const known = knownCalls(pool);
    const written = await commitUnlocked(client, reports, known);
    if (written !== null) return { known, ...written };
    known.forget(callSidsOf(reports));
    await client.query('rollback');
    await client.query('begin');
    return { known, ...(await commitLocked(client, reports)) };
  });
  known.keep(rows);
  return committed;
}

/** With the rows as they now are, or were read. */
interface Written extends Committed {
  rows: CallToWrite[];
}

/** null where the rows have to be locked first; then nothing may be committed. */
async function commitUnlocked(
  client: PoolClient,
  reports: readonly Report[],
  known: KnownCalls,
): Promise<Written | null> {
  const rows = await readUnknown(client, reports, known);
  const { folded, changes } = fold(rows, reports);
  // What a settled call counts for is taken out before it changes.
  if (changes.some(({ folded }) => folded.wasSettled && folded.isToldOf)) return null;
  try {
    const written = await writeCounted(client, changes);
    if (written === null) return null;
    const readAlone = changes.flatMap(({ before, folded }) => (folded.isToldOf ? [] : [before]));
    const toTell = await tell(client, changes);
    return { folded, busy: new Set(), toTell, rows: [...readAlone, ...written] };
  } catch (error) {
    if (sqlState(error) === LOCK_NOT_AVAILABLE) return null;
    throw error;
  }
}

/** A row that is known is found out to be another when it is written: one that is only promised for is read. */
async function readUnknown(
  client: PoolClient,
  reports: readonly Report[],
  known: KnownCalls,
): Promise<CallToWrite[]> {
  const toldOf = new Set(reports.filter(tellsOfCall).map(({ callSid }) => callSid));
  const rows: CallToWrite[] = [];
  const unknown: string[] = [];
  for (const callSid of callSidsOf(reports)) {
    const row = toldOf.has(callSid) ? known.get(callSid) : null;
    if (row === null) unknown.push(callSid);
    else rows.push(row);
  }
  return [...rows, ...(await readCalls(client, unknown))];
}

async function commitLocked(client: PoolClient, reports: readonly Report[]): Promise<Written> {
  const toldOf = callSidsOf(reports.filter(tellsOfCall));
  const isToldOf = new Set(toldOf);
  const locked = await lockCalls(client, toldOf);
  const busy = await busyAmong(client, toldOf, locked);
  const others = callSidsOf(reports).filter((callSid) => !isToldOf.has(callSid));
  const { folded, changes } = fold([...locked, ...(await readCalls(client, others))], reports);
  const rows = await writeCounted(client, changes);
  if (rows === null) throw new RowNotWrittenError();
  return { folded, busy, toTell: await tell(client, changes), rows };
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

/** The rows that it has written; null where one is not as it was read any more. */
async function writeCounted(client: PoolClient, calls: readonly Change[]): Promise<CallToWrite[] | null> {
  if (calls.length === 0) return [];
  const counted = calls.filter(({ folded }) => countsAnew(folded));
  const idsOf = (wasSettled: boolean) =>
    counted.filter(({ folded }) => folded.wasSettled === wasSettled).map(({ before }) => before.id);
  const written = await countedAnew(client, idsOf(true), () => writeChanges(client, calls));
  if (written !== null) await settleInRollups(client, idsOf(false));
  return written;
}

async function tell(client: PoolClient, changes: readonly Change[]): Promise<number> {
  const telling = tellWebhooks(changes);
  return telling === null ? 0 : ((await client.query(telling)).rowCount ?? 0);
}
