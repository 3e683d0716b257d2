import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  customType,
  index,
  integer,
  jsonb,
  pgSchema,
  primaryKey,
  smallint,
  text,
  timestamp,
  uniqueIndex,
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

/** Endpoints that are told of events. Their secrets are derived, and are nowhere here. */
export const webhooks = internal.table('webhooks', {
  id: integer('id').primaryKey().generatedAlwaysAsIdentity(),
  createdAt: time('created_at').notNull().defaultNow(),
  disabledAt: time('disabled_at'),
  /** Nothing has succeeded since; null while the last attempt did. */
  failingSince: time('failing_since'),
  /** The receiver asked by `Retry-After` to be left alone until then. */
  heldUntil: time('held_until'),
  /** Its deliveries are being deleted, and then it is. */
  deletedAt: time('deleted_at'),
  enabled: boolean('enabled').notNull().default(true),
  /** When each secret took the place of the one before: their number is part of what the secret is derived from. */
  rotations: timestamp('rotations', { withTimezone: true, precision: 3 }).array().notNull().default([]),
  /** What clients know it by. */
  publicId: plainText('public_id').notNull().unique(),
  url: text('url').notNull(),
  /** Tells whether a process derives the secret from the same root. */
  secretCheck: text('secret_check').notNull(),
  /** Numbers of events. */
  events: smallint('events').array().notNull(),
  /** Of this account's calls alone; null: of all. Its name, since it may have no call yet. */
  account: plainText('account'),
  metadata: jsonb('metadata').$type<Metadata>().notNull().default({}),
  description: text('description'),
  disabledReason: text('disabled_reason'),
});

/** What an endpoint is told, once for each event: it is written with what it tells of, in the same transaction. */
export const deliveries = internal.table(
  'deliveries',
  {
    id: id('id').notNull().generatedAlwaysAsIdentity(),
    callId: id('call_id').notNull(),
    createdAt: time('created_at').notNull().default(sql`clock_timestamp()`),
    /** Of a transition: when it was observed; of a settlement: when the call settled. */
    occurredAt: time('occurred_at').notNull(),
    /** Nobody takes it up before; while it is under way, when the process that has it has lost it. */
    nextAttemptAt: timestamp('next_attempt_at', { withTimezone: true })
      .notNull()
      .default(sql`clock_timestamp()`),
    /** A process is at it until then; null where none is. */
    leasedUntil: timestamp('leased_until', { withTimezone: true }),
    finishedAt: time('finished_at'),
    webhookId: integer('webhook_id').notNull(),
    /** 0: pending, 1: delivered, 2: failed. */
    status: smallint('status').notNull().default(0),
    /** 1: a transition, 2: a settlement. */
    event: smallint('event').notNull(),
    /** Of the transition; of a settlement: how many there were. */
    seq: smallint('seq').notNull(),
    /** Of a settlement. */
    outcome: smallint('outcome'),
    /** Since it was last sent anew. */
    attempts: smallint('attempts').notNull().default(0),
    /** What came of the attempts, the newest last. */
    history: jsonb('history').notNull().default([]),
  },
  (table) => [
    primaryKey({ name: 'deliveries_by_webhook', columns: [table.webhookId, table.id] }),
    // One event is told an endpoint by one row. Also finds what waits before it, and what goes with a call.
    uniqueIndex('deliveries_by_event').on(
      table.callId,
      table.webhookId,
      table.seq,
      table.event,
      table.occurredAt,
    ),
    index('deliveries_due').on(table.webhookId, table.nextAttemptAt).where(sql`${table.status} = 0`),
    index('deliveries_under_way').on(table.webhookId).where(sql`${table.leasedUntil} is not null`),
    index('deliveries_failed').on(table.webhookId, table.id).where(sql`${table.status} = 2`),
  ],
);

/** Spans of time that an endpoint is to be told of again; worked off a few calls at a time. */
export const replays = internal.table('replays', {
  id: integer('id').primaryKey().generatedAlwaysAsIdentity(),
  webhookId: integer('webhook_id').notNull(),
  since: time('since').notNull(),
  until: time('until').notNull(),
  /** The calls up to this one are done. */
  doneUpTo: id('done_up_to').notNull(),
  /** The last one to do. */
  upTo: id('up_to').notNull(),
});
