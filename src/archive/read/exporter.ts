import { type SQL, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import type { Client } from 'pg';
import { answering } from '../database.ts';
import { TooManyExportsError } from '../errors.ts';
import { closeClient, hangUp, openClient, withClient } from '../postgres-client.ts';
import { type SessionLimits, USUAL_LIMITS } from '../session.ts';
import { all, type CallFilter, fits, foundBy } from './call-filter.ts';
import { callRows, NEWEST_FIRST } from './call-json.ts';

export interface Exporter {
  /**
   * All calls that match with their histories, newest registration first, all of one moment, each as the JSON that the
   * API answers: in batches, each read from Postgres when it is asked for. The first has been read when the promise resolves, so what fails by then has
   * given nothing away. `signal` ends it at once, also in the middle of a statement, and must be given when the reader
   * is done. `onLost` is called when Postgres has ended it, which a reader that pauses would not learn.
   *
   * Throws `ArchiveUnavailableError`, and `TooManyExportsError` where as many run as may.
   */
  open(filter: CallFilter, signal: AbortSignal, onLost: () => void): Promise<AsyncGenerator<string[]>>;
}

/** As many as become text within some milliseconds: the process does other work between them. */
const BATCH_ROWS = 200;

/**
 * While an export is open, Postgres keeps every row that was changed since it began. So it ends an export whose reader
 * has paused for 10 minutes, and a statement that takes as long.
 */
const LIMITS: SessionLimits = { ...USUAL_LIMITS, statementMs: 600_000, answerMs: 630_000 };
const BEGIN = `
begin isolation level repeatable read read only;
set local idle_in_transaction_session_timeout = '10min'`;

/** Each export has a connection of its own, outside the pool that followers and requests share. */
export function createExporter({ url, atMost }: { url: string; atMost: number }): Exporter {
  let running = 0;

  return {
    async open(filter, signal, onLost) {
      if (running >= atMost) throw new TooManyExportsError(`${atMost} exports run already`);
      running++;
      const batches = read(url, filter, signal, { onLost, onEnd: () => running-- });
      // Whoever reads may leave before having begun, which a generator does not notice on its own.
      signal.addEventListener('abort', () => void batches.return(undefined).catch(() => {}), { once: true });
      const first = await answering(batches.next());
      return resumed(first, batches);
    },
  };
}

async function* resumed(
  first: IteratorResult<string[]>,
  rest: AsyncGenerator<string[]>,
): AsyncGenerator<string[]> {
  try {
    if (!first.done) yield first.value;
    yield* rest;
  } finally {
    // Also where the reader leaves before it has asked for more than the first.
    await rest.return(undefined);
  }
}

async function* read(
  url: string,
  filter: CallFilter,
  signal: AbortSignal,
  { onLost, onEnd }: { onLost: () => void; onEnd: () => void },
): AsyncGenerator<string[]> {
  let client: Client | null = null;
  let stop = () => {};
  try {
    const opened = await openClient(url, 'polykeep export', LIMITS);
    client = opened;
    client.once('end', onLost);
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    // A server that has fallen silent ends nothing: the place is free all the same.
    stop = () => void terminate(url, rows[0]?.pid).finally(() => hangUp(opened));
    signal.addEventListener('abort', stop, { once: true });
    signal.throwIfAborted();
    await client.query(BEGIN);
    await drizzle(client).execute(declaration(filter));
    for (;;) {
      const { rows } = await client.query<{ json: string }>(`fetch forward ${BATCH_ROWS} from exported`);
      if (rows.length === 0) return;
      yield rows.map(({ json }) => json);
    }
  } finally {
    signal.removeEventListener('abort', stop);
    client?.off('end', onLost);
    await closeClient(client);
    onEnd();
  }
}

/** From another connection: a statement in progress hears nothing on its own. */
async function terminate(url: string, pid: number | undefined): Promise<void> {
  await withClient(url, 'polykeep export end', (client) =>
    client.query('select pg_terminate_backend($1)', [pid]),
  ).catch(() => {
    // Postgres is away, and the statement with it.
  });
}

/** A cursor by SQL: Postgres then plans for the first rows, and each fetch takes as many as are wanted. */
function declaration(filter: CallFilter): SQL {
  const chosen = sql`select * from polykeep_internal.calls c where ${all([fits(filter), foundBy(filter)])}`;
  return sql`declare exported no scroll cursor for ${callRows(chosen)} ${NEWEST_FIRST}`;
}
