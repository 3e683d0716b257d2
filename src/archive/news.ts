import { AsyncResource } from 'node:async_hooks';
import type { Client, Pool } from 'pg';
import type { Logger } from 'pino';
import { retryDelay } from '../backoff.ts';
import { ReadOnlyServerError } from './errors.ts';
import { closeClient, createClient, startClient } from './postgres-client.ts';
import { type SessionLimits, USUAL_LIMITS } from './session.ts';

const NEWS_CHANNEL = 'polykeep';
const RETRY = { firstMs: 100, maxMs: 5_000 };
const CHECK_EVERY_MS = 15_000;
const LIMITS: SessionLimits = { ...USUAL_LIMITS, statementMs: 4_000, answerMs: 5_000 };

/** What a word is of: calls that changed, or deliveries to webhooks that wait. */
export type Topic = 'calls' | 'deliveries';

/** Word of the commits of all processes. A hint, no promise: it may be late, and is lost while Postgres is away. */
export interface News {
  /**
   * Has `onNews` called for each word of the topic, and each time that words may have been missed before. All listeners
   * share one connection, which the first one opens; one that breaks is made anew.
   */
  listen(onNews: () => void, topic?: Topic): void;
  stop(): Promise<void>;
}

/**
 * Tells all processes that there is news. After the commit and not with it: a server whose queue of notifications is
 * full refuses the whole transaction, and commits that notify wait for each other. While one word is being sent, all
 * others wait to be sent as one. A word that is lost does no harm: whoever waits also looks from time to time.
 */
export function newsTeller(pool: Pool, log: Logger, topic: Topic = 'calls'): () => void {
  let state: 'idle' | 'telling' | 'more to tell' = 'idle';

  async function tell(): Promise<void> {
    if (state !== 'idle') {
      state = 'more to tell';
      return;
    }
    do {
      state = 'telling';
      await pool.query(`select pg_notify('${NEWS_CHANNEL}', $1)`, [topic]).catch((error: unknown) => {
        log.debug({ err: error }, 'a word of news is lost');
      });
    } while (isMoreToTell());
    state = 'idle';
  }

  const isMoreToTell = () => state === 'more to tell';
  return () => void tell();
}

export interface NewsOptions {
  url: string;
  log: Logger;
  /** How often the connection is asked whether there is still a server behind it that takes writes. */
  checkEveryMs?: number;
}

export function createNews({ url, log, checkEveryMs = CHECK_EVERY_MS }: NewsOptions): News {
  let state: 'idle' | 'listening' | 'stopped' = 'idle';
  let client: Client | null = null;
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;
  const listeners = new Map<() => void, Topic>();
  /** The connection outlives the request that listens first: for traces it is no part of that. */
  const begin = AsyncResource.bind(connect);

  /** A word without a topic may be of anything: that of an older version, or none that was heard. */
  function tell(topic: string): void {
    for (const [onNews, ofInterest] of listeners) if (topic === '' || topic === ofInterest) onNews();
  }

  async function connect(): Promise<void> {
    const connecting = createClient(url, 'polykeep news', LIMITS);
    client = connecting;
    connecting.on('notification', ({ payload = '' }) => tell(payload));
    connecting.on('error', (error) => log.debug({ err: error }, 'the connection for news is in trouble'));
    connecting.once('end', () => connectAgain(connecting));
    try {
      await startClient(connecting, LIMITS);
      await connecting.query(`listen ${NEWS_CHANNEL}`);
      failures = 0;
      tell('');
      checkLater(connecting);
    } catch (error) {
      giveUp(connecting, error);
    }
  }

  /** A server that went without a word, or was demoted, tells of nothing for ever. */
  function checkLater(listening: Client): void {
    if (client !== listening || state === 'stopped') return;
    timer = setTimeout(async () => {
      try {
        await refuseReadOnly(listening);
        checkLater(listening);
      } catch (error) {
        giveUp(listening, error);
      }
    }, checkEveryMs);
  }

  function giveUp(failed: Client, error: unknown): void {
    log.debug({ err: error }, 'cannot listen for news');
    connectAgain(failed);
    void closeClient(failed);
  }

  /** A connection that failed may tell of it twice. */
  function connectAgain(failed: Client): void {
    if (client !== failed || state === 'stopped') return;
    client = null;
    failures++;
    clearTimeout(timer);
    timer = setTimeout(() => void connect(), retryDelay(failures, RETRY, Math.random));
  }

  return {
    listen(onNews, topic = 'calls') {
      listeners.set(onNews, topic);
      if (state !== 'idle') return;
      state = 'listening';
      void begin();
    },
    async stop() {
      state = 'stopped';
      clearTimeout(timer);
      await closeClient(client);
    },
  };
}

/** Throws `ReadOnlyServerError` where nobody can commit what there would be news of. */
async function refuseReadOnly(client: Client): Promise<void> {
  const { rows } = await client.query<{ isReadOnly: boolean }>(
    `select current_setting('transaction_read_only')::bool as "isReadOnly"`,
  );
  if (rows[0]?.isReadOnly !== false) throw new ReadOnlyServerError();
}
