/** Another polykeep runs on the same data folder. */
export class DataDirInUseError extends Error {
  override readonly name = 'DataDirInUseError';
  readonly code = 'data_dir_in_use';

  constructor(dataDir: string, postgresPid: number) {
    super(
      `DATA_DIR: ${dataDir} is in use by another polykeep (Postgres pid ${postgresPid}); stop it, or give this one a folder of its own`,
    );
  }
}

/** Another program listens where the server is to. */
export class EmbeddedPortTakenError extends Error {
  override readonly name = 'EmbeddedPortTakenError';
  readonly code = 'embedded_port_taken';

  constructor(port: number, dataDir: string) {
    super(
      `EMBEDDED_POSTGRES_PORT: port ${port} on 127.0.0.1, that of the Postgres in ${dataDir}, is taken by another ` +
        'program; stop that, or set EMBEDDED_POSTGRES_PORT to a free port',
    );
  }
}

/** Postgres does not run as root, and the user it runs as cannot get to a folder. */
export class DataDirNotReachableError extends Error {
  override readonly name = 'DataDirNotReachableError';
  readonly code = 'data_dir_not_reachable';

  constructor(dataDir: string, blockedBy: string, user: string) {
    super(
      `DATA_DIR: the user "${user}", as whom Postgres runs, cannot get through ${blockedBy} to ${dataDir}; ` +
        `set DATA_DIR to a folder elsewhere, for example /var/lib/polykeep, or set DATABASE_URL`,
    );
  }
}

/** The files of the embedded Postgres cannot be read or written. */
export class DataDirUnusableError extends Error {
  override readonly name = 'DataDirUnusableError';
  readonly code = 'data_dir_unusable';

  constructor(dataDir: string, cause: Error) {
    super(
      `DATA_DIR: ${dataDir} cannot be used: ${cause.message}; set DATA_DIR to a folder that this user may write to, ` +
        'or set DATABASE_URL',
      { cause },
    );
  }
}

/** Postgres could not be installed, initialised or started; the message ends with what it said itself. */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError';
  readonly code = 'embedded_postgres_failed';
}
