import type { ClientBase, QueryConfig } from 'pg';

/**
 * How long a session's statements may take, in milliseconds. Each statement ends on both sides of the wire: Postgres
 * stops it, and only where no word of that comes the client gives up. A client that gave up first would leave the
 * statement running, and its connection with it.
 */
export interface SessionLimits {
  /** Postgres stops a statement after so long (57014). */
  readonly statementMs: number;
  /** And one that has waited so long for one lock (55P03). */
  readonly lockMs: number;
  /** The client waits so long for an answer; longer than `statementMs`. */
  readonly answerMs: number;
  /**
   * Postgres closes the connection where nothing was asked for so long (57P05), from version 14 on. A process that
   * froze then holds no advisory lock for longer. null: a connection that waits for its whole life.
   */
  readonly silenceMs: number | null;
}

export const USUAL_LIMITS: SessionLimits = {
  statementMs: 25_000,
  lockMs: 5_000,
  answerMs: 30_000,
  silenceMs: 60_000,
};

/** What a session says of itself at its start. */
export interface Session {
  /** Of its server process; null where a pooler has others in between. */
  readonly pid: number | null;
  readonly isReadOnly: boolean;
}

/**
 * Set by a statement, and not as start-up parameters, which connection poolers refuse. Beside the limits: Postgres ends
 * a transaction that a frozen process has left open for 10 s, since others wait for its row locks; and it sends times
 * in the ISO format, the only one that pg reads.
 */
const BEGIN_SESSION = `
select pg_backend_pid() as pid, current_setting('transaction_read_only')::bool as "isReadOnly",
       set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false),
       case when current_setting('server_version_num')::int >= 140000
            then set_config('idle_session_timeout', $3, false) end,
       set_config('idle_in_transaction_session_timeout', '10s', false), set_config('datestyle', 'ISO', false)`;

/** A session that does not begin within so long is none. */
const BEGIN_WITHIN_MS = 5_000;

/** Sets the limits in a session that has just begun. Rejects with what pg says. */
export async function beginSession(client: ClientBase, limits: SessionLimits): Promise<Session> {
  const { statementMs, lockMs, silenceMs } = limits;
  const values = [statementMs, lockMs, silenceMs ?? 0].map(String);
  const { rows } = await client.query<Session>(
    answeredWithin(BEGIN_WITHIN_MS, { text: BEGIN_SESSION, values }),
  );
  const [session] = rows;
  if (session === undefined) throw new Error('a session says nothing of itself');
  return session;
}

/** Of a session through a pooler, which is to be left as it is: others find it next. Rejects with what pg says. */
export async function lookAtSession(client: ClientBase): Promise<Session> {
  const text = `select current_setting('transaction_read_only')::bool as "isReadOnly"`;
  const { rows } = await client.query<{ isReadOnly: boolean }>(answeredWithin(BEGIN_WITHIN_MS, { text }));
  return { pid: null, isReadOnly: rows[0]?.isReadOnly ?? true };
}

/** The query with a time-out of its own for the client, in milliseconds; pg's types do not know of it. */
function answeredWithin(answerMs: number, query: QueryConfig): QueryConfig & { query_timeout: number } {
  return { ...query, query_timeout: answerMs };
}
