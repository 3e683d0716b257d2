import { Pool, type PoolClient } from 'pg';
import { postgresAddressOf } from '../network/postgres-url.ts';
import { ReadOnlyServerError } from './errors.ts';
import { PooledClient } from './pooled.ts';
import { CONNECTION, hangUp, ignoreErrorEvents } from './postgres-client.ts';
import { createRoom } from './room.ts';
import { beginSession, lookAtSession, type SessionLimits, USUAL_LIMITS } from './session.ts';
import { consequencesOf, sqlState } from './sql-states.ts';
import { inTransaction } from './transaction.ts';

/** A connection that is closed politely is dropped where Postgres has not closed its side after so long. */
const LEAVE_WITHIN_MS = 5_000;
/** How often Postgres is asked whether it still has the processes that gave no answer. */
const LOOK_EVERY_MS = 2_000;
/** A name that leads to another server after a failover is looked up at least so often. */
const LONGEST_LIFE_MS = 600_000;

const STILL_THERE = `select pid from pg_stat_activity where pid = any($1::int[])`;

export interface ArchivePoolOptions {
  /** Of connections. */
  max: number;
  limits?: SessionLimits;
  /** Whether the URL leads to a pooler in transaction mode. */
  isPooled?: boolean;
}

type ConnectCallback = (
  error: Error | undefined,
  client: PoolClient | undefined,
  release: (error?: Error | boolean) => void,
) => void;

/**
 * A pool that keeps a connection only while its server can take what it is for.
 *
 * - A new connection is refused where its server is read only.
 * - What a use failed with is given to `release`, and `sql-states.ts` says whether the connection is kept. pg's own
 *   pool closes it after any error of a `query`, and after none of a transaction.
 * - Where a server turned out to be read only, all connections that were made before are closed too: one that is only
 *   read from would go on showing what was true before the failover.
 * - The server never has more than `max` connections of it. One that is being closed counts until it is closed; one
 *   that the client gave up without an answer counts until Postgres says that its process is gone. Only where all of
 *   them hang so, there is one more.
 * - Through a pooler in transaction mode every statement is in a transaction, which has its limits (`pooled.ts`), and
 *   the connections on the server are the pooler's to count.
 */
export class ArchivePool extends Pool {
  readonly #sessions = new WeakMap<object, { pid: number | null; since: number }>();
  readonly #leaving = new Set<PoolClient>();
  /** Ids of server processes that gave no answer, and may still be there. */
  readonly #silent = new Set<number>();
  /** Whether a pooler in transaction mode is in between: then nothing holds for longer than a transaction. */
  readonly isPooled: boolean;
  /** Connections made before this, by `performance.now()`, are on a server that does other work now. */
  #fitSince = 0;
  #look: NodeJS.Timeout | undefined;
  readonly #room = createRoom({
    isThere: () => this.ending || this.idleCount > this.waitingCount || this.totalCount < this.#mayHave(),
    patienceMs: CONNECTION.connectionTimeoutMillis,
  });

  constructor(url: string, { max, limits = USUAL_LIMITS, isPooled = false }: ArchivePoolOptions) {
    super({
      ...CONNECTION,
      ...postgresAddressOf(url),
      ...(isPooled ? { Client: PooledClient } : {}),
      application_name: 'polykeep',
      query_timeout: limits.answerMs,
      max,
      onConnect: async (client) => {
        ignoreErrorEvents(client);
        const since = performance.now();
        const session = isPooled ? lookAtSession(client) : beginSession(client, limits);
        const { pid, isReadOnly } = await session;
        if (isReadOnly) throw new ReadOnlyServerError();
        this.#sessions.set(client, { pid, since });
      },
    });
    this.isPooled = isPooled;
    if (isPooled) this.#queryInTransactions();
    this.on('remove', (client) => {
      this.#leaving.delete(client);
      this.#room.more();
    });
  }

  #queryInTransactions(): void {
    const value = (...args: never[]): Promise<unknown> =>
      inTransaction(this, 'begin', (client) => Reflect.apply(client.query, client, args));
    Object.defineProperty(this, 'query', { value });
  }

  override connect(): Promise<PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<PoolClient> | undefined {
    const taking = this.#take();
    if (callback === undefined) return taking;
    taking.then(
      (client) => callback(undefined, client, (error) => client.release(error)),
      (error: Error) => callback(error, undefined, () => {}),
    );
    return undefined;
  }

  override end(): Promise<void>;
  override end(callback: () => void): void;
  override end(callback?: () => void): Promise<void> | undefined {
    const ended = super.end();
    clearTimeout(this.#look);
    this.#room.more(Infinity);
    if (callback === undefined) return ended;
    void ended.then(callback);
    return undefined;
  }

  /** How many connections there may be now, beside those that are not gone yet. */
  #mayHave(): number {
    return Math.max(1, this.options.max - this.#leaving.size - this.#silent.size);
  }

  async #take(): Promise<PoolClient> {
    for (;;) {
      const client = await this.#room
        .enter(() => super.connect())
        .catch((error: unknown) => {
          // It made room, where it was to be a new connection.
          this.#room.more();
          throw error;
        });
      if (this.#isFit(client)) return this.#judged(client);
      this.#leave(client);
      client.release(true);
    }
  }

  #isFit(client: PoolClient): boolean {
    const since = this.#sessions.get(client)?.since ?? 0;
    return since >= this.#fitSince && performance.now() - since < LONGEST_LIFE_MS;
  }

  /** The connection, with a release that closes it where it is unfit. */
  #judged(client: PoolClient): PoolClient {
    const release = client.release;
    client.release = (error) => {
      if (error instanceof Error && consequencesOf(error).connection === 'all unfit') {
        this.#fitSince = performance.now();
      }
      const isKept = isFitAfter(error) && this.#isFit(client) && client.getTransactionStatus() === 'I';
      if (!isKept) this.#leave(client, error);
      release(!isKept);
      if (isKept) this.#room.more();
    };
    return client;
  }

  #leave(client: PoolClient, error?: Error | boolean): void {
    this.#leaving.add(client);
    setTimeout(() => this.#leaving.has(client) && hangUp(client), LEAVE_WITHIN_MS).unref();
    const pid = this.#sessions.get(client)?.pid;
    if (pid === undefined || pid === null || !isUnanswered(error)) return;
    this.#silent.add(pid);
    this.#lookLater();
  }

  #lookLater(): void {
    if (this.ending || this.#silent.size === 0) return;
    this.#look ??= setTimeout(() => void this.#lookForSilent(), LOOK_EVERY_MS).unref();
  }

  /** On another server, as after a failover, there are none of them either. */
  async #lookForSilent(): Promise<void> {
    const asked = [...this.#silent];
    try {
      const { rows } = await this.query<{ pid: number }>(STILL_THERE, [asked]);
      const still = new Set(rows.map(({ pid }) => pid));
      for (const pid of asked) if (!still.has(pid)) this.#silent.delete(pid);
      this.#room.more(Infinity);
    } catch {
      // Postgres cannot be asked: it is asked again.
    }
    this.#look = undefined;
    this.#lookLater();
  }
}

/** `true`: it is to be closed in any case. */
function isFitAfter(error: Error | boolean | undefined): boolean {
  if (error instanceof Error) return consequencesOf(error).connection === 'fit';
  return error !== true;
}

/** The client gave up, or the connection broke, while the statement may still run. */
function isUnanswered(error: Error | boolean | undefined): boolean {
  return error instanceof Error && sqlState(error) === null;
}
