import { desc, sql } from 'drizzle-orm';
import {
  customType,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core';
import type { CallState, Metadata, Outcome } from '../../call/call.ts';

/** Milliseconds, as in JSON: a time read from the API can be given back to a filter and still be exact. */
const time = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

const xid8 = customType<{ data: string }>({ dataType: () => 'xid8' });

export const calls = pgTable(
  'calls',
  {
    callSid: text('call_sid').primaryKey(),
    account: text('account').notNull(),
    status: text('status'),
    outcome: text('outcome').$type<Outcome>(),
    reason: text('reason'),
    metadata: jsonb('metadata').$type<Metadata>().notNull().default({}),
    registeredAt: time('registered_at').notNull().defaultNow(),
    createdAt: time('created_at'),
    lastUpdated: time('last_updated'),
    firstSeenAt: time('first_seen_at'),
    lastSeenAt: time('last_seen_at'),
    settledAt: time('settled_at'),
    followedUntil: time('followed_until').notNull().defaultNow(),
    polls: integer('polls').notNull().default(0),
    failedPolls: integer('failed_polls').notNull().default(0),
    lastError: text('last_error'),
    lastBody: text('last_body'),
    /** When it was last registered again, after polykeep had concluded on it: its age is counted from then. */
    reopenedAt: time('reopened_at'),
    transitionCount: integer('transition_count').notNull().default(0),
  },
  (table) => [
    index('calls_newest_first').on(desc(table.registeredAt), desc(table.callSid)),
    index('calls_unsettled').on(table.followedUntil, table.callSid).where(sql`${table.settledAt} is null`),
    index('calls_settled').on(table.settledAt).where(sql`${table.settledAt} is not null`),
    index('calls_metadata').using('gin', sql`${table.metadata} jsonb_path_ops`),
  ],
);

/**
 * The columns of `calls` that make a call's state. The writer's statements are made from this list; what reads calls
 * takes all columns of the table.
 */
export const STATE_COLUMNS = [
  'status',
  'outcome',
  'reason',
  'createdAt',
  'lastUpdated',
  'firstSeenAt',
  'lastSeenAt',
  'settledAt',
  'transitionCount',
] as const satisfies readonly (keyof CallState)[];

export const transitions = pgTable(
  'transitions',
  {
    callSid: text('call_sid')
      .notNull()
      .references(() => calls.callSid, { onDelete: 'cascade' }),
    seq: integer('seq').notNull(),
    status: text('status').notNull(),
    reason: text('reason'),
    changedAfter: time('changed_after'),
    observedAt: time('observed_at').notNull(),
    lastUpdated: time('last_updated'),
    payload: jsonb('payload').notNull(),
    xid: xid8('xid').notNull().default(sql`pg_current_xact_id()`),
  },
  (table) => [
    primaryKey({ columns: [table.callSid, table.seq] }),
    // Those of one transaction are few, and sorted as they are read: all their keys would be as large as the calls.
    index('transitions_by_transaction').on(table.xid),
  ],
);

/** One row: the archive's own id. Two archives may share a Redis, and must not take each other's calls. */
export const archive = pgTable('archive', { id: uuid('id').primaryKey().defaultRandom() });
