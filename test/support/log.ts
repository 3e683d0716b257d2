import { Writable } from 'node:stream';
import { type Logger, pino } from 'pino';
import { LOG_OPTIONS } from '../../src/log.ts';

export const silentLog = pino({ level: 'silent' });

/** A line of the log, with the fields that tests look at. */
export interface ToldLine {
  level: string;
  msg: string;
  callSid?: string;
  migration?: string;
  postgresPid?: number;
  err?: { message: string };
}

/** A log whose lines can be read. */
export function listeningLog(level = 'info'): { lines: ToldLine[]; log: Logger } {
  const lines: ToldLine[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  return { lines, log: pino({ ...LOG_OPTIONS, level }, stream) };
}
