import { isatty } from 'node:tty';
import { type DestinationStream, type Logger, type LoggerOptions, pino, stdTimeFunctions } from 'pino';
import { type LogOutput, openLogOutput } from './log-output.ts';
import { wordsOf } from './words.ts';

export const STANDARD_OUTPUT = 1;

export interface Log {
  log: Logger;
  output: LogOutput;
}

/** How lines look to programs, as those that collect logs: times and levels as text, which people can read too. */
export const LOG_OPTIONS = {
  timestamp: stdTimeFunctions.isoTime,
  formatters: { level: (level: string) => ({ level }) },
  serializers: { err: errorFields },
} satisfies LoggerOptions;

/**
 * One line per event, on standard output: for people on a terminal, else JSON. A reader that stops reading holds nothing
 * up.
 */
export async function createLog(level: string): Promise<Log> {
  const output = openLogOutput(STANDARD_OUTPUT);
  const stream = isatty(STANDARD_OUTPUT) ? await forPeople(output) : output;
  const log = pino({ ...LOG_OPTIONS, level }, stream);
  output.onDropped = (lines) =>
    log.warn({ lines }, 'log lines were dropped: they could not be written in time');
  return { log, output };
}

/** Loaded where it is used: the start of a service pays nothing for it. */
async function forPeople(output: LogOutput): Promise<DestinationStream> {
  const { prettyFactory } = await import('pino-pretty');
  // https://no-color.org
  const colorize = !process.env.NO_COLOR;
  const line = prettyFactory({ colorize, translateTime: 'SYS:HH:MM:ss', ignore: 'pid,hostname' });
  return { write: (json) => output.write(line(json)) };
}

/**
 * Only these of an error: others may hold what must not be told, as ioredis keeps a failed command's arguments, the
 * password of AUTH among them.
 */
function errorFields(error: unknown): unknown {
  if (!(error instanceof Error)) return { message: String(error) };
  const { name, stack, cause } = error;
  const message = error.message === '' ? wordsOf(error) : error.message;
  const code = 'code' in error ? error.code : undefined;
  return { name, code, message, stack, ...(cause === undefined ? {} : { cause: errorFields(cause) }) };
}
