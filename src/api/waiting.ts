import type { FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import type { News } from '../archive/news.ts';
import type { Feed } from '../archive/read/feed.ts';
import type { ArchiveReader } from '../archive/read/reader.ts';
import { createChecks } from './checks.ts';

/** News that come within this time of each other cause one check. */
const CHECK_GAP_MS = 50;
/** The longest `wait`, and what Postgres may then take for the answer. */
export const HELD_WITHIN_MS = 60_000 + 45_000;

/** A request that is held: its `signal` is aborted when its time is over, its client has gone, or the process stops. */
interface Hold extends Disposable {
  readonly signal: AbortSignal;
  readonly clientIsGone: boolean;
}

export interface Waiting {
  /** How many requests are held now. */
  readonly held: number;
  /** Holds the request of this reply for at most `ms`. The caller disposes of the hold when it answers. */
  hold(reply: FastifyReply, ms: number): Hold;
  /** Resolves when the call is settled or gone, or the signal is aborted. Call it before you read the call. */
  settled(callSid: string, signal: AbortSignal): Promise<void>;
  /** Resolves when transitions of a later transaction than this can be read, or the signal is aborted. */
  readable(xid: string, signal: AbortSignal): Promise<void>;
  /** Ends every hold, and every one to come at once: those requests are answered with what is known. */
  close(): void;
}

interface WaitingOptions {
  reader: Pick<ArchiveReader, 'settledAmong'>;
  feed: Pick<Feed, 'head'>;
  news: Pick<News, 'listen'>;
  log: Logger;
  /** How often Postgres is asked for those who wait, without news: news may be lost, and behind a pooler none comes. */
  checkEveryMs?: number;
}

interface FeedWaiter {
  xid: bigint;
  wake: () => void;
}

/** Requests that wait for news; one query for all of them finds out whose wait is over. */
export function createWaiting({ reader, feed, news, log, checkEveryMs = 1_000 }: WaitingOptions): Waiting {
  const holds = new Set<{ dismiss(): void }>();
  const callWaiters = new Map<string, Set<() => void>>();
  const feedWaiters = new Set<FeedWaiter>();
  let lagMs = CHECK_GAP_MS;
  let closed = false;

  const checks = createChecks({ check, gapMs: CHECK_GAP_MS });

  async function check(): Promise<void> {
    if (callWaiters.size === 0 && feedWaiters.size === 0) return;
    checks.within(checkEveryMs);
    // Where Postgres is away the next check tries again, and the last read of each request fails with 503.
    const results = await Promise.allSettled([checkCalls(), checkFeed()]);
    for (const result of results) {
      if (result.status === 'rejected') log.debug({ err: result.reason }, 'cannot look for news');
    }
  }

  async function checkCalls(): Promise<void> {
    if (callWaiters.size === 0) return;
    for (const callSid of await reader.settledAmong([...callWaiters.keys()])) {
      for (const wake of callWaiters.get(callSid) ?? []) wake();
    }
  }

  async function checkFeed(): Promise<void> {
    if (feedWaiters.size === 0) return;
    const { newest, lags } = await feed.head();
    if (newest !== null) {
      for (const { xid, wake } of feedWaiters) if (xid < BigInt(newest)) wake();
    }
    // A row can be read when every older transaction is over, and no news tells of that.
    if (lags) checks.within(lagMs);
    lagMs = lags ? lagMs * 2 : CHECK_GAP_MS;
  }

  function hearOf(): void {
    lagMs = CHECK_GAP_MS;
    checks.within(0);
  }

  return {
    get held() {
      return holds.size;
    },
    hold(reply, ms) {
      const over = new AbortController();
      let clientIsGone = false;
      const end = () => over.abort();
      const timer = setTimeout(end, ms);
      const leave = () => {
        clientIsGone = true;
        end();
      };
      const held = {
        dismiss() {
          // Kept open for a next request, the connection would hold up the shutdown.
          reply.header('connection', 'close');
          end();
        },
      };
      holds.add(held);
      reply.raw.once('close', leave);
      // The client had gone before the hold began.
      if (reply.raw.destroyed) leave();
      if (closed) held.dismiss();
      else news.listen(hearOf);
      return {
        signal: over.signal,
        get clientIsGone() {
          return clientIsGone;
        },
        [Symbol.dispose]() {
          clearTimeout(timer);
          reply.raw.off('close', leave);
          holds.delete(held);
          end();
        },
      };
    },
    async settled(callSid, signal) {
      await wokenOrAborted(signal, (wake) => {
        const waiters = callWaiters.get(callSid) ?? new Set();
        callWaiters.set(callSid, waiters.add(wake));
        checks.within(checkEveryMs);
        return () => {
          waiters.delete(wake);
          if (waiters.size === 0 && callWaiters.get(callSid) === waiters) callWaiters.delete(callSid);
        };
      });
    },
    async readable(xid, signal) {
      await wokenOrAborted(signal, (wake) => {
        const waiter = { xid: BigInt(xid), wake };
        feedWaiters.add(waiter);
        // News may have come earlier of what can only be read now.
        checks.within(0);
        return () => feedWaiters.delete(waiter);
      });
    },
    close() {
      closed = true;
      checks.stop();
      for (const held of holds) held.dismiss();
    },
  };
}

/** Waits for `wake`, which `enlist` puts on a list, or for the signal. `enlist` returns what takes it off again. */
function wokenOrAborted(signal: AbortSignal, enlist: (wake: () => void) => () => void): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const wake = () => {
      signal.removeEventListener('abort', wake);
      strike();
      resolve();
    };
    const strike = enlist(wake);
    signal.addEventListener('abort', wake, { once: true });
  });
}
