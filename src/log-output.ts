import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { isatty } from 'node:tty';
import type { DestinationStream } from 'pino';
import { codeOf } from './words.ts';

/** What waits for a reader that has stopped reading. What comes beyond it is dropped, and counted. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;
const TRY_AGAIN_MS = 20;

/**
 * Where log lines go. Nothing waits for whoever reads them: a write that blocks would hold up the whole process for as
 * long as they do not read, with every poll, and its end at SIGTERM. A stream that is never full blocks nobody.
 *
 * - **flowing**: lines go to the stream, or wait in memory for it.
 * - **full**: `MAX_WAITING_BYTES` wait. Lines are dropped until all that waits has been read; then it flows again.
 * - **gone**: the reader has closed its end. Lines are dropped for good: there is nobody to tell.
 */
export class LogOutput implements DestinationStream {
  /** Told, when lines can be written again, how many were dropped. */
  onDropped: ((lines: number) => void) | null = null;
  readonly #stream: Writable;
  #state: 'flowing' | 'full' | 'gone' = 'flowing';
  #dropped = 0;
  #told = 0;

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on('error', () => {
      // EPIPE: a log that nobody reads is no reason to stop following calls.
      this.#state = 'gone';
    });
    stream.on('drain', () => this.#drained());
    stream.on('lost', () => this.#dropped++);
    stream.on('written', () => this.#tell());
  }

  /** Lines since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  write(line: string): void {
    if (this.#state === 'flowing' && this.#stream.writableLength > MAX_WAITING_BYTES) this.#state = 'full';
    if (this.#state === 'flowing') this.#stream.write(line);
    else this.#dropped++;
  }

  /** Calls back when all lines so far have been written, or never will be. Where nobody reads them that takes for ever. */
  flush(done: () => void): void {
    if (this.#state === 'gone') return done();
    this.#stream.write('', () => done());
  }

  #drained(): void {
    if (this.#state !== 'full') return;
    this.#state = 'flowing';
    this.#tell();
  }

  #tell(): void {
    const dropped = this.#dropped - this.#told;
    if (dropped === 0 || this.#state !== 'flowing') return;
    this.#told = this.#dropped;
    setImmediate(() => this.onDropped?.(dropped));
  }
}

/** The output to a file descriptor, whatever it is: a pipe, a socket, a terminal, a file. */
export function openLogOutput(fd: number): LogOutput {
  const isPipe = fstatSync(fd).isFIFO() || fstatSync(fd).isSocket();
  if (isPipe) return new LogOutput(new Socket({ fd, readable: false, writable: true }));
  return new LogOutput(new DescriptorStream(isatty(fd) ? withoutBlocking(fd) : fd));
}

/**
 * Another descriptor of the same terminal, on which a write does not block where the terminal was stopped, or the network
 * to it is gone. This one's flags are shared with other programs, as the shell, and stay as they are.
 */
function withoutBlocking(fd: number): number {
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // No /proc, or a terminal of another user. It is written to as by any program.
    return fd;
  }
}

/**
 * Writes to a file or a terminal at once. It emits `lost` for a line that could not be written, as to a full disk, and
 * `written` for one that was.
 */
export class DescriptorStream extends Writable {
  readonly #fd: number;

  constructor(fd: number) {
    super({ decodeStrings: true });
    this.#fd = fd;
  }

  override _write(bytes: Buffer, encoding: BufferEncoding, done: () => void): void {
    const { rest, error } = this.#put(bytes);
    if (error === 'busy')
      return void setTimeout(() => this._write(rest, encoding, done), TRY_AGAIN_MS).unref();
    if (bytes.length > 0) this.emit(error === null ? 'written' : 'lost');
    done();
  }

  #put(bytes: Buffer): { rest: Buffer; error: 'busy' | 'failed' | null } {
    let rest = bytes;
    try {
      while (rest.length > 0) rest = rest.subarray(writeSync(this.#fd, rest));
      return { rest, error: null };
    } catch (error) {
      const isBusy = codeOf(error) === 'EAGAIN';
      return { rest, error: isBusy ? 'busy' : 'failed' };
    }
  }
}
