import type { ServerResponse } from 'node:http';
import { type FeedPosition, feedCursor } from '../archive/read/cursors.ts';

/** With so much unread a client gets no more, and is cut off: so it never has more waiting than this and one page. */
const MAX_UNREAD_BYTES = 256 * 1024;
/** A client that takes so long for a part of the past is cut off too. */
const DRAIN_WITHIN_MS = 60_000;
/** How soon a client is to come back that was sent away. */
const COME_BACK_MS = 1_000;

/**
 * One client of the stream. It is behind at first and reads the past page by page; it is live once it has come to where
 * the feed is read for all; it is over when the client goes, is cut off, or is sent away.
 */
export class Listener {
  state: 'behind' | 'live' | 'over' = 'behind';
  /** All up to here has been written to the client, or is of no interest to it. */
  position: FeedPosition;
  /** null: of all accounts. */
  readonly account: string | null;
  readonly #response: ServerResponse;

  constructor(response: ServerResponse, account: string | null, position: FeedPosition) {
    this.#response = response;
    this.account = account;
    this.position = position;
  }

  /** Writes events, the last of which, or what was passed over, is at this position. */
  send(events: Buffer, position: FeedPosition): void {
    this.position = position;
    this.#write(events);
  }

  /** Keeps what lies between from closing the connection, and finds out whether the client is still there. */
  comment(): void {
    this.#write(':\n\n');
  }

  /** Resolves when the client has read what was written, has gone, or was cut off for not reading. */
  async drained(): Promise<void> {
    if (this.state === 'over' || !this.#response.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#response.destroy(), DRAIN_WITHIN_MS);
      const done = () => {
        clearTimeout(timer);
        this.#response.off('drain', done);
        this.#response.off('close', done);
        resolve();
      };
      this.#response.on('drain', done);
      this.#response.on('close', done);
    });
  }

  /** Tells the client where to go on, and that it may soon. */
  sendAway(): void {
    if (this.state === 'over') return;
    this.#response.end(`id: ${feedCursor.encode(this.position)}\nretry: ${COME_BACK_MS}\n\n`);
    this.state = 'over';
  }

  #write(text: Buffer | string): void {
    if (this.state === 'over') return;
    if (this.#response.writableLength > MAX_UNREAD_BYTES) this.#response.destroy();
    else this.#response.write(text);
  }
}

/** A transition as an event. */
export function eventText(json: string, position: FeedPosition): string {
  return `id: ${feedCursor.encode(position)}\nevent: transition\ndata: ${json}\n\n`;
}
