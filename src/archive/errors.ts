import { wordsOf } from '../words.ts';

/** Postgres is away, or cannot answer for now: try again. */
export class ArchiveUnavailableError extends Error {
  override readonly name = 'ArchiveUnavailableError';
  readonly code = 'archive_unavailable';
}

/** No connection to Postgres came about; the message says to which server, and what it or the network said. */
export class PostgresConnectError extends Error {
  override readonly name = 'PostgresConnectError';
  readonly code = 'postgres_connect';
  /** The server, as `placeOf` names it. */
  readonly place: string;

  constructor(place: string, cause: unknown) {
    super(`${place}: ${wordsOf(cause)}`, { cause });
    this.place = place;
  }
}

/** A migration failed; nothing was changed. */
export class MigrationFailedError extends Error {
  override readonly name = 'MigrationFailedError';
  readonly code = 'migration_failed';
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

/** Postgres took the statement and left a row out that was locked for it: a trigger of somebody's does that. */
export class RowNotWrittenError extends Error {
  override readonly name = 'RowNotWrittenError';
  readonly code = 'row_not_written';

  constructor() {
    super('a row that was locked is not as it was read, or a trigger keeps it from being written');
  }
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

/** The role may not make, or change, what a migration is about; nothing was changed. */
export class MigrationDeniedError extends Error {
  override readonly name = 'MigrationDeniedError';
  readonly code = 'migration_denied';
}

/** The server takes no writes: a standby, or one that was the primary before a failover. */
export class ReadOnlyServerError extends Error {
  override readonly name = 'ReadOnlyServerError';
  readonly code = 'read_only_server';

  constructor() {
    super('Postgres is read only: it is a standby, or set to default_transaction_read_only');
  }
}

/** The database cannot hold what PolyAI says. */
export class DatabaseEncodingError extends Error {
  override readonly name = 'DatabaseEncodingError';
  readonly code = 'database_encoding';

  constructor(database: string, encoding: string) {
    super(
      `the encoding of the database "${database}" is ${encoding}, which has not every character that PolyAI may ` +
        `send: polykeep needs UTF8. Make a database by: create database NAME encoding 'UTF8' template template0`,
    );
  }
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
