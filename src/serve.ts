import type { Logger } from 'pino';
import { loadEnvironmentFile, readConfig } from './config/config.ts';
import { ConfigError } from './config/config-error.ts';
import { createLog } from './log.ts';
import { type Role, type Sidecar, startSidecar } from './wiring/sidecar.ts';

const STOP_WITHIN_MS = 9_500;
/** Under npm one Ctrl-C comes twice: from the terminal, and passed on by npm. */
const SAME_SIGNAL_MS = 200;

/**
 * `polykeep serve`, `api` and `worker`: started when it returns, and running until a signal ends the process. Throws
 * `ConfigError`, and what `startSidecar` throws.
 */
export async function serve(role: Role): Promise<void> {
  loadEnvironmentFile();
  const config = readConfig(role);
  const log = createLog(config.LOG_LEVEL);
  const starting = startSidecar({ config, role, log });

  let stoppingSince: number | null = null;
  const stop = async (signal: NodeJS.Signals) => {
    if (stoppingSince !== null) {
      if (performance.now() - stoppingSince > SAME_SIGNAL_MS) process.exit(1);
      return;
    }
    stoppingSince = performance.now();
    log.info({ signal }, 'polykeep stops');
    setTimeout(() => {
      log.error('polykeep did not stop in time');
      process.exit(1);
    }, STOP_WITHIN_MS).unref();
    try {
      // Also a signal that comes while the parts are being started stops them all.
      await (await starting).stop();
    } catch (error) {
      log.error({ err: error }, 'polykeep did not stop cleanly');
      process.exit(1);
    }
    log.info('polykeep stopped');
    process.exit(0);
  };
  // From a terminal it means that the terminal is gone.
  if (!process.stdout.isTTY) process.on('SIGHUP', () => void reload(role, starting, log));
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  await starting;
}

async function reload(role: Role, starting: Promise<Sidecar>, log: Logger): Promise<void> {
  const sidecar = await starting;
  try {
    sidecar.reload(readConfig(role));
    log.info('configuration read again');
  } catch (error) {
    const problem = error instanceof ConfigError ? { problems: error.problems } : { err: error };
    log.error(problem, 'configuration kept as it was');
  }
}
