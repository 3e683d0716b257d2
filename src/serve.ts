import { isatty } from 'node:tty';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { within } from './clock.ts';
import { type Config, readConfig } from './config/config.ts';
import { ConfigError } from './config/config-error.ts';
import { loadEnvironmentFile } from './config/environment-file.ts';
import { createLog, STANDARD_OUTPUT } from './log.ts';
import { untraced } from './tracing.ts';
import { type Role, type Sidecar, startSidecar } from './wiring/sidecar.ts';

const STOP_WITHIN_MS = 9_500;
/** For the last lines of the log to be read, where some wait. */
const LAST_LINES_MS = 400;
/** Under npm one Ctrl-C comes twice: from the terminal, and passed on by npm. */
const SAME_SIGNAL_MS = 200;

/**
 * `polykeep serve`, `api` and `worker`: started when it returns, and running until a signal ends the process. Throws
 * `ConfigError`, and what `startSidecar` throws.
 */
export async function serve(role: Role): Promise<void> {
  loadEnvironmentFile();
  const config = readConfig(role);
  const work = () => run(role, config);
  // A span for each poll, and for each look at what there is to do, would bury those of requests.
  return config.TRACE_BACKGROUND ? work() : untraced(work);
}

async function run(role: Role, config: Config): Promise<void> {
  const { log, output } = await createLog(config.LOG_LEVEL);
  for (const warning of config.warnings) log.warn(warning);
  const ending = new AbortController();
  const starting = startSidecar({
    config,
    role,
    log,
    signal: ending.signal,
    droppedLines: () => output.dropped,
  });

  let stoppingSince: number | null = null;
  const stop = async (signal: NodeJS.Signals) => {
    if (stoppingSince !== null) {
      if (performance.now() - stoppingSince > SAME_SIGNAL_MS) process.exit(1);
      return;
    }
    stoppingSince = performance.now();
    ending.abort();
    log.info({ signal }, 'polykeep stops');
    setTimeout(() => {
      log.error('polykeep did not stop in time');
      process.exit(1);
    }, STOP_WITHIN_MS).unref();
    try {
      // Also a signal that comes while the parts are being started stops them all.
      const sidecar = await started(starting, ending.signal);
      await sidecar?.stop();
    } catch (error) {
      log.error({ err: error }, 'polykeep did not stop cleanly');
      process.exit(1);
    }
    log.info('polykeep stopped');
    await within(LAST_LINES_MS, new Promise<void>((resolve) => output.flush(resolve)));
    process.exit(0);
  };
  // From a terminal it means that the terminal is gone.
  if (!isatty(STANDARD_OUTPUT)) process.on('SIGHUP', () => void reload({ role, config, starting, log }));
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  await started(starting, ending.signal);
}

/** null where it was told to stop before it had begun. */
async function started(starting: Promise<Sidecar>, signal: AbortSignal): Promise<Sidecar | null> {
  try {
    return await starting;
  } catch (error) {
    if (error !== signal.reason) throw error;
    return null;
  }
}

interface Reloading {
  role: Role;
  /** As it was at the start. */
  config: Config;
  starting: Promise<Sidecar>;
  log: Logger;
}

async function reload({ role, config, starting, log }: Reloading): Promise<void> {
  try {
    const sidecar = await starting;
    const next = readConfig(role);
    sidecar.reload(next);
    log.info('configuration read again');
    if (!isDeepStrictEqual(next.apiKeys, config.apiKeys)) {
      log.warn('API_KEYS have changed: the old ones count until polykeep is restarted');
    }
  } catch (error) {
    const problem = error instanceof ConfigError ? { problems: error.problems } : { err: error };
    log.error(problem, 'configuration kept as it was');
  }
}
