import { type Logger, pino } from 'pino';
import { type LogOutput, openLogOutput } from './log-output.ts';

export const STANDARD_OUTPUT = 1;

export interface Log {
  log: Logger;
  output: LogOutput;
}

/** One JSON line per event, on standard output. A reader that stops reading holds nothing up. */
export function createLog(level: string): Log {
  const output = openLogOutput(STANDARD_OUTPUT);
  const log = pino({ level, serializers: { err: errorFields } }, output);
  output.onDropped = (lines) =>
    log.warn({ lines }, 'log lines were dropped: they could not be written in time');
  return { log, output };
}

/**
 * Only these of an error: others may hold what must not be told, as ioredis keeps a failed command's arguments, the
 * password of AUTH among them.
 */
function errorFields(error: unknown): unknown {
  if (!(error instanceof Error)) return { message: String(error) };
  const { name, message, stack, cause } = error;
  const code = 'code' in error ? error.code : undefined;
  return { name, code, message, stack, ...(cause === undefined ? {} : { cause: errorFields(cause) }) };
}
