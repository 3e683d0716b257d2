import { AsyncResource } from 'node:async_hooks';
import type { FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import type { News } from '../archive/news.ts';
import { comparePositions, type FeedPosition } from '../archive/read/cursors.ts';
import type { Feed, FeedPage } from '../archive/read/feed.ts';
import { within } from '../clock.ts';
import { eventText, Listener } from './listener.ts';

export interface FeedStream {
  /** How many clients listen. */
  readonly listeners: number;
  /**
   * Answers with the feed behind `after` for as long as the client listens. Rejects, with nothing answered, with what
   * `Feed.read` rejects with.
   */
  open(reply: FastifyReply, after: FeedPosition, account: string | null): Promise<void>;
  /** Sends all clients away, and each that comes later at once. */
  close(): void;
}

interface FeedStreamOptions {
  feed: Pick<Feed, 'read'>;
  news: Pick<News, 'listen'>;
  log: Logger;
  /** How often the feed is looked at without news: news may be lost. */
  lookEveryMs?: number;
  commentEveryMs?: number;
}

const LOOK_EVERY_MS = 1_000;
const SOON_MS = 20;
const COMMENT_EVERY_MS = 15_000;
const PAGE = 200;
const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  // Kept open for a next request, it would hold up the shutdown.
  connection: 'close',
  // Proxies of nginx's kind would gather what is to be told at once.
  'x-accel-buffering': 'no',
};

/**
 * The feed for any number of clients by one reader: all that it asks Postgres, it asks one after the other. Where every
 * client is live, a page is read once and written to all.
 */
export function createFeedStream({
  feed,
  news,
  log,
  lookEveryMs = LOOK_EVERY_MS,
  commentEveryMs = COMMENT_EVERY_MS,
}: FeedStreamOptions): FeedStream {
  const all = new Set<Listener>();
  /** Up to where live clients have been told; null while there is none. */
  let head: FeedPosition | null = null;
  let alarm = Promise.withResolvers<void>();
  let lookInMs = SOON_MS;
  let lastRead: Promise<unknown> = Promise.resolve();
  let comments: NodeJS.Timeout | undefined;
  /** It outlives the request that was live first: for traces it is no part of that. */
  const beginToTell = AsyncResource.bind(tellLive);
  let closed = false;

  function read(after: FeedPosition, account: string | null): Promise<FeedPage> {
    const page = lastRead.then(() => feed.read({ after, limit: PAGE, account }));
    lastRead = page.catch(() => {});
    return page;
  }

  /** Also says that Postgres is away. */
  async function readLater(after: FeedPosition, account: string | null): Promise<FeedPage | null> {
    return read(after, account).catch((error: unknown) => {
      log.debug({ err: error }, 'the stream cannot read the feed: trying again');
      return null;
    });
  }

  async function catchUp(listener: Listener, first: FeedPage): Promise<void> {
    let page: FeedPage | null = first;
    while (listener.state === 'behind') {
      if (page === null) await pause();
      else tell([listener], page);
      if (page?.isEnd && join(listener)) return;
      await listener.drained();
      page = await readLater(listener.position, listener.account);
    }
  }

  /** Lets a client in among the live ones, unless these were told of more than it was. */
  function join(listener: Listener): boolean {
    if (listener.state !== 'behind') return true;
    if (head !== null && comparePositions(listener.position, head) < 0) return false;
    listener.state = 'live';
    if (head === null) {
      head = listener.position;
      void beginToTell();
    }
    return true;
  }

  const live = () => [...all].filter(({ state }) => state === 'live');

  async function tellLive(): Promise<void> {
    while (head !== null && !closed) {
      alarm = Promise.withResolvers();
      const page = await readLater(head, null);
      const listeners = live();
      if (page !== null) {
        head = page.next;
        tell(listeners, page);
      }
      if (listeners.length === 0) head = null;
      else if (page?.isEnd !== false) await pause();
    }
  }

  /** What there was news of can be read when every older transaction is over, and no news tells of that. */
  async function pause(): Promise<void> {
    const ms = Math.min(lookInMs, lookEveryMs);
    lookInMs = ms * 2;
    await within(ms, alarm.promise);
  }

  function leave(listener: Listener): void {
    listener.state = 'over';
    all.delete(listener);
    if (all.size === 0) clearInterval(comments);
  }

  function welcome(listener: Listener): void {
    if (all.size === 0) {
      comments = setInterval(() => {
        for (const one of all) one.comment();
      }, commentEveryMs);
    }
    all.add(listener);
  }

  return {
    get listeners() {
      return all.size;
    },
    async open(reply, after, account) {
      news.listen(hearOf);
      const first = await read(after, account);
      const { raw } = reply;
      const listener = new Listener(raw, account, after);
      reply.hijack();
      raw.once('close', () => leave(listener));
      raw.on('error', () => {});
      if (raw.destroyed) return;
      raw.writeHead(200, { ...plain(reply.getHeaders()), ...HEADERS });
      raw.flushHeaders();
      welcome(listener);
      if (closed) listener.sendAway();
      void catchUp(listener, first);
    },
    close() {
      closed = true;
      alarm.resolve();
      clearInterval(comments);
      for (const listener of all) listener.sendAway();
    },
  };

  function hearOf(): void {
    lookInMs = SOON_MS;
    alarm.resolve();
  }
}

/** Writes a page to clients; what is the same for many is made once. */
function tell(listeners: readonly Listener[], page: FeedPage): void {
  const events = page.transitions.map((json, index) => {
    const position = page.positions[index] ?? page.next;
    return { json, position, text: eventText(json, position) };
  });
  const texts = new Map<string | null, Buffer>();
  const [first] = page.positions;
  for (const listener of listeners) {
    const { account, position } = listener;
    const isAhead = first !== undefined && comparePositions(position, first) >= 0;
    const known = isAhead ? undefined : texts.get(account);
    const text =
      known ??
      Buffer.from(
        events
          .filter((event) => !isAhead || comparePositions(event.position, position) > 0)
          .filter(({ json }) => account === null || accountOf(json) === account)
          .map((event) => event.text)
          .join(''),
      );
    if (!isAhead) texts.set(account, text);
    const reached = comparePositions(page.next, position) > 0 ? page.next : position;
    if (text.length > 0) listener.send(text, reached);
    else listener.position = reached;
  }
}

function accountOf(json: string): string {
  const { account }: { account: string } = JSON.parse(json);
  return account;
}

function plain(headers: ReturnType<FastifyReply['getHeaders']>): Record<string, string | string[] | number> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
