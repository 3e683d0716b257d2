import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  customType,
  index,
  integer,
  jsonb,
  pgSchema,
  smallint,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core';
import type { Metadata } from '../../call/call.ts';

/**
 * The tables. Nobody but polykeep reads them: people have the views of the schema `polykeep`. Columns go from wide to
 * narrow, since Postgres would fill the gaps between them with nothing.
 */
export const internal = pgSchema('polykeep_internal');

/** Milliseconds, as in JSON: a time read from the API can be given back to a filter and still be exact. */
const time = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

const xid8 = customType<{ data: string }>({ dataType: () => 'xid8' });
/** Compared byte by byte: so an index of it finds beginnings too, and is the same whatever the server's locale. */
const plainText = customType<{ data: string }>({ dataType: () => 'text collate "C"' });
const bytes = customType<{ data: Buffer }>({ dataType: () => 'bytea' });
const id = (name: string) => bigint(name, { mode: 'number' });

/** A text that many rows have, once; they have its number. */
const codes = (name: string) =>
  internal.table(name, {
    id: integer('id').primaryKey().generatedAlwaysAsIdentity(),
    name: plainText('name').notNull().unique(),
  });

export const accounts = codes('accounts');
export const statuses = codes('statuses');

/** All there are; `OUTCOME_CODES` has the same. */
export const outcomes = internal.table('outcomes', {
  id: smallint('id').primaryKey(),
  name: text('name').notNull().unique(),
});

export const calls = internal.table(
  'calls',
  {
    id: id('id').primaryKey().generatedAlwaysAsIdentity(),
    registeredAt: time('registered_at').notNull().defaultNow(),
    createdAt: time('created_at'),
    lastUpdated: time('last_updated'),
    firstSeenAt: time('first_seen_at'),
    lastSeenAt: time('last_seen_at'),
    settledAt: time('settled_at'),
    /** When it was last registered again, after polykeep had concluded on it: its age is counted from then. */
    reopenedAt: time('reopened_at'),
    account: integer('account').notNull(),
    status: integer('status'),
    polls: integer('polls').notNull().default(0),
    failedPolls: integer('failed_polls').notNull().default(0),
    outcome: smallint('outcome'),
    transitionCount: smallint('transition_count').notNull().default(0),
    /** How PolyAI's last body is made of the columns (`call/body-form.ts`); null where `lastBody` has it. */
    bodyForm: smallint('body_form'),
    callSid: plainText('call_sid').notNull().unique(),
    reason: text('reason'),
    metadata: jsonb('metadata').$type<Metadata>().notNull().default({}),
    lastError: text('last_error'),
    lastBody: text('last_body'),
  },
  (table) => [
    // Registrations of one transaction are few, and sorted by id as they are read.
    index('calls_by_registration').on(table.registeredAt),
    // Rows lie in the order of their registration, and settle soon after. Postgres 16 and later update a row without
    // touching its other indexes where only such an index has the column.
    index('calls_by_settlement').using('brin', table.settledAt).with({ pages_per_range: 16 }),
    index('calls_by_metadata')
      .using('gin', sql`${table.metadata} jsonb_path_ops`)
      .where(sql`${table.metadata} <> '{}'`),
  ],
);

/**
 * The calls that are followed. What changes with each lease is here, and in no index: the sweeper reads the whole table,
 * which takes it 20 ms for 200,000 calls.
 */
export const unsettled = internal.table('unsettled', {
  callId: id('call_id').primaryKey(),
  /** Nobody else takes up the call before. */
  followedUntil: timestamp('followed_until', { withTimezone: true }).notNull().defaultNow(),
});

/**
 * A row is written by who has locked its call, and deleted with it: that is what keeps `seq` unique and the call there. A
 * unique index and a foreign key would say the same, for a third more bytes.
 */
export const transitions = internal.table(
  'transitions',
  {
    xid: xid8('xid').notNull().default(sql`pg_current_xact_id()`),
    callId: id('call_id').notNull(),
    observedAt: time('observed_at').notNull(),
    changedAfter: time('changed_after'),
    lastUpdated: time('last_updated'),
    status: integer('status').notNull(),
    seq: smallint('seq').notNull(),
    /** How the payload is made of the columns (`call/body-form.ts`); null where `payload` has it. */
    bodyForm: smallint('body_form'),
    reason: text('reason'),
    payload: jsonb('payload'),
  },
  (table) => [
    index('transitions_by_call').on(table.callId),
    // Those of one transaction are few, and sorted as they are read: all their keys would be as large as the calls.
    index('transitions_by_transaction').on(table.xid),
    // By its hash: a reason may be longer than a key of a B-tree.
    index('transitions_by_reason').on(sql`hashtext(${table.reason})`).where(sql`${table.reason} is not null`),
  ],
);

/** What statistics sum up, of all calls of one group; `contributions`, a view, says what each call counts for. */
const sums = () => ({
  /** Milliseconds from registration to the settle. */
  settleMs: bigint('settle_ms', { mode: 'number' }).notNull(),
  polls: bigint('polls', { mode: 'number' }).notNull(),
  failedPolls: bigint('failed_polls', { mode: 'number' }).notNull(),
  /** The first quarter of an hour that it is for, as their number since 1970: time zones are apart by quarters. */
  bucket: integer('bucket').notNull(),
  /** 0: all calls; else the id of the metadata key that they are apart by (`statsKeys`). */
  key: integer('key').notNull(),
  account: integer('account').notNull(),
  calls: integer('calls').notNull(),
  /** 0: still followed. */
  outcome: smallint('outcome').notNull(),
});

/**
 * What transactions that changed calls have changed of the rollups, until it is folded into them: nobody waits for a row
 * that all write.
 */
export const rollupChanges = internal.table('rollup_changes', {
  ...sums(),
  /** 1 adds, -1 takes out. */
  sign: smallint('sign').notNull(),
  /** Of calls that retention has deleted. */
  isRetired: boolean('is_retired').notNull(),
  value: plainText('value'),
  /** Milliseconds of each finished stay, with commas between: less than an array takes. */
  queued: text('queued'),
  calling: text('calling'),
});

export const rollups = internal.table(
  'rollups',
  {
    ...sums(),
    /** 0: a quarter, of the calls that are there; 1: a quarter, of those that retention deleted; 2: a day, of both. */
    level: smallint('level').notNull(),
    value: plainText('value'),
    /** Sketches of the stays (`call/sketch.ts`). */
    queued: bytes('queued'),
    calling: bytes('calling'),
  },
  // Not unique: one process at a time writes it. A value may be longer than a key of a B-tree.
  (table) => [
    index('rollups_by_bucket').on(
      table.key,
      table.level,
      table.bucket,
      table.account,
      sql`coalesce(hashtext(${table.value}), 0)`,
    ),
  ],
);

/** The metadata keys that rollups are kept by. A row stays: another process may still want its key. */
export const statsKeys = internal.table('stats_keys', {
  id: integer('id').primaryKey().generatedAlwaysAsIdentity(),
  /** Calls beyond this id were registered when the key was known, and are counted from the first. */
  highMark: id('high_mark').notNull(),
  /** Those up to this one have been counted since. */
  filledUpTo: id('filled_up_to').notNull(),
  name: plainText('name').notNull().unique(),
});

/** One row: the archive's own id. Two archives may share a Redis, and must not take each other's calls. */
export const archive = internal.table('archive', { id: uuid('id').primaryKey().defaultRandom() });
