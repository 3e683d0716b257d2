import { eq, gte, isNull, lt, type SQL, sql } from 'drizzle-orm';
import type { Metadata, Outcome } from '../../call/call.ts';
import { calls } from '../schema/tables.ts';

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
  /** Every one of these must be in the call's metadata. */
  metadata?: Metadata;
}

/** The filter in SQL, on the table `calls`; undefined for parts that are not given. */
export function conditions(filter: CallFilter): (SQL | undefined)[] {
  const { status, outcome, account, metadata } = filter;
  return [
    status === undefined ? undefined : eq(calls.status, status),
    outcome === undefined
      ? undefined
      : outcome === 'none'
        ? isNull(calls.settledAt)
        : eq(calls.outcome, outcome),
    account === undefined ? undefined : eq(calls.account, account),
    ...registeredWithin(filter),
    metadata === undefined ? undefined : sql`${calls.metadata} @> ${JSON.stringify(metadata)}::jsonb`,
  ];
}

/** The part of the filter that says when calls were registered. */
export function registeredWithin({ registeredFrom, registeredTo }: CallFilter): (SQL | undefined)[] {
  return [
    registeredFrom === undefined ? undefined : gte(calls.registeredAt, registeredFrom),
    registeredTo === undefined ? undefined : lt(calls.registeredAt, registeredTo),
  ];
}
