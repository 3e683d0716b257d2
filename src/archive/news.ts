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
export function newsTeller(pool: Pool, log: Logger): () => void {
  let state: 'idle' | 'telling' | 'more to tell' = 'idle';

  async function tell(): Promise<void> {
    if (state !== 'idle') {
      state = 'more to tell';
      return;
    }
    do {
      state = 'telling';
      await pool.query(`select pg_notify('${NEWS_CHANNEL}', '')`).catch((error: unknown) => {
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

  async function connect(onNews: () => void): Promise<void> {
    const connecting = createClient(url, 'polykeep news', LIMITS);
    client = connecting;
    connecting.on('notification', onNews);
    connecting.on('error', (error) => log.debug({ err: error }, 'the connection for news is in trouble'));
    connecting.once('end', () => connectAgain(connecting, onNews));
    try {
      await startClient(connecting, LIMITS);
      await connecting.query(`listen ${NEWS_CHANNEL}`);
      failures = 0;
      onNews();
      checkLater(connecting, onNews);
    } catch (error) {
      giveUp(connecting, onNews, error);
    }
  }

  /** A server that went without a word, or was demoted, tells of nothing for ever. */
  function checkLater(listening: Client, onNews: () => void): void {
    if (client !== listening || state === 'stopped') return;
    timer = setTimeout(async () => {
      try {
        await refuseReadOnly(listening);
        checkLater(listening, onNews);
      } catch (error) {
        giveUp(listening, onNews, error);
      }
    }, checkEveryMs);
  }

  function giveUp(failed: Client, onNews: () => void, error: unknown): void {
    log.debug({ err: error }, 'cannot listen for news');
    connectAgain(failed, onNews);
    void closeClient(failed);
  }

  /** A connection that failed may tell of it twice. */
  function connectAgain(failed: Client, onNews: () => void): void {
    if (client !== failed || state === 'stopped') return;
    client = null;
    failures++;
    clearTimeout(timer);
    timer = setTimeout(() => void connect(onNews), retryDelay(failures, RETRY, Math.random));
  }

  return {
    listen(onNews) {
      if (state !== 'idle') return;
      state = 'listening';
      void connect(onNews);
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
