import type { Socket } from 'node:net';
import { errors } from 'undici';

/** A status line up to its code, as of an interim answer: 1xx, but not 101, which is the last word of HTTP. */
const INTERIM = /^HTTP\/1\.[01] 1(?!01)\d\d/;
/** What a beginning is completed with, to see whether it may become one. */
const SAMPLE = 'HTTP/1.1 102';
const FIRST_OF_CODE = 9;
const ONE = 0x31;
const END_OF_HEAD = Buffer.from('\r\n\r\n');
/** Of interim answers before one answer. Who sends more sends no answer. */
const MAX_BYTES = 64 * 1024;
const NOTHING: Buffer = Buffer.alloc(0);

/**
 * Takes interim answers (100, 102, 103) out of what comes before an answer, however it is cut into chunks. Nobody asks
 * for them, yet a proxy may send them, and RFC 9110 15.2 has a client ignore them. undici does so but for `100`, at
 * which it closes the connection ("bad response", `onHeadersComplete` in lib/dispatcher/client-h1.js of 7.30.2); it has
 * no option or hook that comes before.
 *
 * Before an answer each chunk is looked at; from its first bytes on, none is. So a poll costs the look at one byte.
 */
export class InterimAnswers {
  #isAnswering = false;
  /** The head of an interim answer has begun. */
  #isInHead = false;
  /** So much of the end of a head was there. */
  #ofEnd = 0;
  /** The first bytes of a status line that is not whole, fewer than 12. */
  #held = NOTHING;
  #skipped = 0;

  /** A request is sent: what comes next is the beginning of its answer. */
  expect(): void {
    this.#isAnswering = false;
    this.#isInHead = false;
    this.#held = NOTHING;
    this.#skipped = 0;
  }

  /** There are more of them than anybody may send. */
  get isTooMuch(): boolean {
    return this.#skipped > MAX_BYTES;
  }

  /** The part of the chunk that belongs to an answer: mostly all of it. */
  answerIn(chunk: Buffer): Buffer {
    if (this.#isAnswering) return chunk;
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = NOTHING;
    while (rest.length > 0 && !this.isTooMuch) {
      if (this.#isInHead) rest = this.#afterHead(rest);
      else if (!mayBeInterim(rest)) {
        this.#isAnswering = true;
        return rest;
      } else if (rest.length < SAMPLE.length) {
        this.#held = rest;
        return NOTHING;
      } else this.#isInHead = true;
    }
    return NOTHING;
  }

  #afterHead(bytes: Buffer): Buffer {
    let at = 0;
    while (at < bytes.length && this.#isInHead) {
      const byte = bytes[at++];
      if (byte === END_OF_HEAD[this.#ofEnd]) this.#ofEnd++;
      else this.#ofEnd = byte === END_OF_HEAD[0] ? 1 : 0;
      if (this.#ofEnd < END_OF_HEAD.length) continue;
      this.#ofEnd = 0;
      this.#isInHead = false;
    }
    this.#skipped += at;
    return bytes.subarray(at);
  }
}

function mayBeInterim(bytes: Buffer): boolean {
  if (bytes.length > FIRST_OF_CODE && bytes[FIRST_OF_CODE] !== ONE) return false;
  const text = bytes.toString('latin1', 0, SAMPLE.length);
  return INTERIM.test(text + SAMPLE.slice(text.length));
}

/** Nothing that is read from the socket is of an interim answer; `expect` is to be called with each request. */
export function skipInterim(socket: Socket): InterimAnswers {
  const interim = new InterimAnswers();
  const read = socket.read.bind(socket);
  socket.read = (size?: number) => {
    for (;;) {
      const chunk: unknown = read(size);
      if (!Buffer.isBuffer(chunk)) return chunk;
      const answer = interim.answerIn(chunk);
      if (answer.length > 0) return answer;
      if (!interim.isTooMuch) continue;
      socket.destroy(new errors.SocketError('interim responses without an end'));
      return null;
    }
  };
  return interim;
}
