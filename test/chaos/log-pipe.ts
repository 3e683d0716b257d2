import { execFile } from 'node:child_process';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

/** For the reader to take what it still takes. */
const SETTLE_MS = 100;
/** A line that is no log line, and goes in whole or not at all. */
const PADDING = `${'-'.repeat(1_023)}\n`;

/** A pipe for a process' log whose reader can stop while it is full: each write of the process then has to wait. */
export class LogPipe {
  /** For this process to write to: it does not wait. */
  readonly #fillFd: number;
  readonly reader: Socket;
  /** For the process to write to. */
  readonly writeFd: number;

  private constructor(path: string) {
    // Opened for both, a FIFO never comes to an end, and opening it waits for nobody.
    this.reader = new Socket({
      fd: openSync(path, constants.O_RDWR | constants.O_NONBLOCK),
      writable: false,
    });
    this.writeFd = openSync(path, constants.O_RDWR);
    this.#fillFd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  }

  static async make(): Promise<LogPipe> {
    const folder = await mkdtemp(join(tmpdir(), 'polykeep-chaos-log-'));
    const path = join(folder, 'log');
    await promisify(execFile)('mkfifo', [path]);
    const pipe = new LogPipe(path);
    // It is open, and needs no name any more.
    await rm(folder, { recursive: true });
    return pipe;
  }

  /** Resolves when the pipe is full, and stays so: the reader's own buffer fills before it really stops. */
  async stopReading(): Promise<void> {
    this.reader.pause();
    while (this.#fill() > 0) await sleep(SETTLE_MS);
  }

  readOn(): void {
    this.reader.resume();
  }

  /** How many bytes there was room for. */
  #fill(): number {
    let written = 0;
    try {
      for (;;) written += writeSync(this.#fillFd, PADDING);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
      return written;
    }
  }

  close(): void {
    this.reader.destroy();
    closeSync(this.writeFd);
    closeSync(this.#fillFd);
  }
}
