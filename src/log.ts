import { type Logger, pino } from 'pino';

/** One JSON line per event, on standard output. */
export function createLog(level: string): Logger {
  return pino({ level, serializers: { err: errorFields } });
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
