import type { Client, Pool } from 'pg';
import type { Logger } from 'pino';
import { retryDelay } from '../backoff.ts';
import { closeClient, createClient } from './postgres-client.ts';

const NEWS_CHANNEL = 'polykeep';
const RETRY = { firstMs: 100, maxMs: 5_000 };
const ANSWER_WITHIN_MS = 5_000;

/** Word of the commits of all processes. A hint, no promise: it may be late, and is lost while Postgres is away. */
export interface News {
  /**
   * Has `onNews` called for each word, and each time that words may have been missed before. Opens the one
   * connection it takes; one that breaks is made anew.
   */
  listen(onNews: () => void): void;
  stop(): Promise<void>;
}

/**
 * Tells all processes that there is news. After the commit and not with it: a server whose queue of notifications is
 * full refuses the whole transaction, and commits that notify wait for each other. While one word is being sent, all
 * others wait to be sent as one. A word that is lost does no harm: whoever waits also looks from time to time.
 */
export function newsTeller(pool: Pool): () => void {
  let state: 'idle' | 'telling' | 'more to tell' = 'idle';

  async function tell(): Promise<void> {
    if (state !== 'idle') {
      state = 'more to tell';
      return;
    }
    do {
      state = 'telling';
      await pool.query(`select pg_notify('${NEWS_CHANNEL}', '')`).catch(() => {});
    } while (isMoreToTell());
    state = 'idle';
  }

  const isMoreToTell = () => state === 'more to tell';
  return () => void tell();
}

export function createNews({ url, log }: { url: string; log: Logger }): News {
  let state: 'idle' | 'listening' | 'stopped' = 'idle';
  let client: Client | null = null;
  let retry: NodeJS.Timeout | undefined;
  let failures = 0;

  async function connect(onNews: () => void): Promise<void> {
    const connecting = createClient(url, 'polykeep news', { query_timeout: ANSWER_WITHIN_MS });
    client = connecting;
    connecting.on('notification', onNews);
    connecting.on('error', (error) => log.debug({ err: error }, 'the connection for news is in trouble'));
    connecting.once('end', () => connectAgain(connecting, onNews));
    try {
      await connecting.connect();
      await connecting.query(`listen ${NEWS_CHANNEL}`);
      failures = 0;
      onNews();
    } catch (error) {
      log.debug({ err: error }, 'cannot listen for news');
      connectAgain(connecting, onNews);
      void closeClient(connecting);
    }
  }

  /** A connection that failed may tell of it twice. */
  function connectAgain(failed: Client, onNews: () => void): void {
    if (client !== failed || state === 'stopped') return;
    client = null;
    failures++;
    retry = setTimeout(() => void connect(onNews), retryDelay(failures, RETRY, Math.random));
  }

  return {
    listen(onNews) {
      if (state !== 'idle') return;
      state = 'listening';
      void connect(onNews);
    },
    async stop() {
      state = 'stopped';
      clearTimeout(retry);
      await closeClient(client);
    },
  };
}
