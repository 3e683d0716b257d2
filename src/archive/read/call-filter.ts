import { and, type SQL, sql } from 'drizzle-orm';
import { type Metadata, OUTCOME_CODES, type Outcome } from '../../call/call.ts';

/** Which calls are meant: those to which every part that is given applies. */
export interface CallFilter {
  status?: string;
  /** `none`: still followed. */
  outcome?: Outcome | 'none';
  account?: string;
  /** Inclusive. */
  registeredFrom?: Date;
  /** Exclusive. */
  registeredTo?: Date;
  /** Inclusive. */
  settledFrom?: Date;
  /** Exclusive. */
  settledTo?: Date;
  /** The whole text. */
  reason?: string;
  callSidPrefix?: string;
  /** Every one of these must be in the call's metadata. */
  metadata?: Metadata;
}

/** The filter in SQL, on a row `c` of the table of calls. */
export function fits(filter: CallFilter): SQL {
  const { status, outcome, account, reason, callSidPrefix, metadata } = filter;
  return all([
    status === undefined ? undefined : hasCode('status', 'statuses', status),
    outcome === undefined ? undefined : hasOutcome(outcome),
    account === undefined ? undefined : hasCode('account', 'accounts', account),
    registeredWithin(filter),
    ...settledWithin(filter),
    reason === undefined ? undefined : sql`c.reason = ${reason}`,
    callSidPrefix === undefined ? undefined : beginsWith(callSidPrefix),
    metadata === undefined ? undefined : has(metadata),
  ]);
}

/** Says nothing more, but has Postgres find by an index what the row of a call is not indexed by. */
export function foundBy({ outcome, reason }: CallFilter): SQL {
  return all([
    outcome === 'none' ? sql`c.id in (select call_id from polykeep_internal.unsettled)` : undefined,
    reason === undefined
      ? undefined
      : sql`c.id in (select t.call_id from polykeep_internal.transitions t
                      where hashtext(t.reason) = hashtext(${reason}) and t.reason = ${reason})`,
  ]);
}

/** Whether the calls that fit are found by an index: all at once, but in no order. */
export function isIndexed(filter: CallFilter): boolean {
  const { outcome, settledFrom, settledTo, reason, callSidPrefix, metadata } = filter;
  const parts = [settledFrom, settledTo, reason, callSidPrefix, metadata];
  return outcome === 'none' || parts.some((part) => part !== undefined);
}

/** By how much the clock of a process may be behind Postgres', which says when a call was registered. */
const CLOCKS_APART = sql.raw(`interval '1 hour'`);

/**
 * The part of the filter that says when calls were registered. What settled before a time was also registered before it:
 * so the newest calls need not be looked through for those of long ago.
 */
export function registeredWithin({ registeredFrom, registeredTo, settledTo }: CallFilter): SQL {
  return all([
    registeredFrom === undefined ? undefined : sql`c.registered_at >= ${timestamp(registeredFrom)}`,
    registeredTo === undefined ? undefined : sql`c.registered_at < ${timestamp(registeredTo)}`,
    settledTo === undefined ? undefined : sql`c.registered_at < ${timestamp(settledTo)} + ${CLOCKS_APART}`,
  ]);
}

function settledWithin({ settledFrom, settledTo }: CallFilter): (SQL | undefined)[] {
  return [
    settledFrom === undefined ? undefined : sql`c.settled_at >= ${timestamp(settledFrom)}`,
    settledTo === undefined ? undefined : sql`c.settled_at < ${timestamp(settledTo)}`,
  ];
}

function hasOutcome(outcome: Outcome | 'none'): SQL {
  return outcome === 'none' ? sql`c.outcome is null` : sql`c.outcome = ${OUTCOME_CODES[outcome]}`;
}

/** A name that no call has ever had is asked for first: Postgres then reads none of them. */
function hasCode(column: 'status' | 'account', codes: 'statuses' | 'accounts', name: string): SQL {
  const named = sql`from ${sql.raw(`polykeep_internal.${codes}`)} where name = ${name}`;
  return sql`exists (select ${named}) and ${sql.raw(`c.${column}`)} = (select id ${named})`;
}

/** The index leaves out calls without any metadata, and has to be told that they are not meant. */
function has(metadata: Metadata): SQL {
  return sql`c.metadata @> ${JSON.stringify(metadata)}::jsonb and c.metadata <> '{}'`;
}

/** The column is compared byte by byte, and no callSid has a character behind `~`. */
function beginsWith(prefix: string): SQL {
  return sql`c.call_sid >= ${prefix} and c.call_sid < ${`${prefix}\x7F`}`;
}

export function timestamp(time: Date): SQL {
  return sql`${time.toISOString()}::timestamptz`;
}

/** That all of them are so; those that are undefined say nothing. */
export function all(parts: readonly (SQL | undefined)[]): SQL {
  return and(...parts) ?? sql`true`;
}
