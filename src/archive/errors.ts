/** Postgres is away, or cannot answer for now: try again. */
export class ArchiveUnavailableError extends Error {
  override readonly name = 'ArchiveUnavailableError';
  readonly code = 'archive_unavailable';
}

/** The archive was closed before a report could be committed. */
export class ArchiveClosedError extends Error {
  override readonly name = 'ArchiveClosedError';
  readonly code = 'archive_closed';

  constructor() {
    super('the archive was closed before the report was committed');
  }
}

/** Postgres refuses the values of this one report. */
export class ReportRefusedError extends Error {
  override readonly name = 'ReportRefusedError';
  readonly code = 'report_refused';
}

/** A position of the feed beyond all transactions of this server: it was given out by another one. */
export class FeedPositionAheadError extends Error {
  override readonly name = 'FeedPositionAheadError';
  readonly code = 'feed_position_ahead';

  constructor() {
    super('the position is beyond all transactions of this database server');
  }
}

/** The database has migrations that this version of polykeep does not know. */
export class NewerDatabaseError extends Error {
  override readonly name = 'NewerDatabaseError';
  readonly code = 'newer_database';

  constructor() {
    super(
      'the database is newer than this polykeep: it has migrations that this version does not know. ' +
        'Start the version that made them, or a later one; to go back, restore a backup from before the upgrade',
    );
  }
}

/** What a migration needs is held by others for longer than it waits; nothing was changed. */
export class MigrationBlockedError extends Error {
  override readonly name = 'MigrationBlockedError';
  readonly code = 'migration_blocked';
}

/**
 * True where Postgres refuses the statement's values (SQLSTATE class 22 data exception, 23 constraint, 54 limit):
 * the same statement would fail again. Everything else, a lost connection above all, is worth another try.
 */
export function isRefusal(error: unknown): boolean {
  return /^(22|23|54)/.test(sqlState(error) ?? '');
}

/**
 * True where nothing is wrong with the statement but Postgres is away: no SQLSTATE at all (a lost or refused
 * connection, a time-out of the pool), 08 connection, 25006 read only after a failover, 40 rolled back, 53 out of
 * resources, 55P03 and 57 operator intervention, 58 system error.
 */
export function isUnavailable(error: unknown): boolean {
  const state = sqlState(error);
  if (state === null) return error instanceof Error && !(error instanceof TypeError);
  return /^(08|25006|40|53|55P03|57|58)/.test(state);
}

/** SQLSTATE of an error from pg, also where drizzle has wrapped it; null for errors that are not Postgres'. */
export function sqlState(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if ('code' in error && 'severity' in error && typeof error.code === 'string') return error.code;
  return error.cause === undefined ? null : sqlState(error.cause);
}

/** As many exports run as may run at once: try again later. */
export class TooManyExportsError extends Error {
  override readonly name = 'TooManyExportsError';
  readonly code = 'too_many_exports';
}

/** As many statistics are being made as may at a time. */
export class TooManyStatsError extends Error {
  override readonly name = 'TooManyStatsError';
  readonly code = 'too_many_stats';
}

/** Postgres was stopped in the middle of a statement that took too long for what it may cost the others. */
export class StatsTooSlowError extends Error {
  override readonly name = 'StatsTooSlowError';
  readonly code = 'stats_too_slow';
}

/** The statistics asked for have more rows than an answer may have. */
export class TooManyRowsError extends Error {
  override readonly name = 'TooManyRowsError';
  readonly code = 'too_many_rows';
}

/** Postgres knows no such time zone. */
export class UnknownTimeZoneError extends Error {
  override readonly name = 'UnknownTimeZoneError';
  readonly code = 'unknown_time_zone';
}
