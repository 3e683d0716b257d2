import type { Logger } from 'pino';
import { migrateDatabase } from './archive/schema/migrations.ts';
import { ConfigError, loadEnvironmentFile, readConfig } from './config/config.ts';
import { createLog } from './log.ts';
import { type Role, type Sidecar, startSidecar } from './wiring/sidecar.ts';

const USAGE = `usage: polykeep COMMAND

  serve     the API and a worker in one process; with nothing configured but the token it brings its own Postgres
  api       the API alone       (DATABASE_URL and REDIS_URL required)
  worker    a worker alone      (DATABASE_URL and REDIS_URL required)
  migrate   bring the schema of DATABASE_URL up to date, and end
  grant-reader NAME
            make a role that may read the schema reporting and nothing else, and print its URL
  track FILE [--url URL] [--key KEY]
            register the calls of a csv, or of a file with one callSid per line (-: standard input), with a running
            polykeep
  export    calls to a file: --format csv|ndjson|parquet --output FILE (- for standard output)
            [--status S] [--outcome O] [--account A] [--registered-from TIME] [--registered-to TIME]
            [--metadata KEY=VALUE]
  demo      watch a few calls, from registration to a history that outlives PolyAI's`;

const STOP_WITHIN_MS = 9_500;
/** Under npm one Ctrl-C comes twice: from the terminal, and passed on by npm. */
const SAME_SIGNAL_MS = 200;

try {
  loadEnvironmentFile();
  await run(process.argv[2] ?? 'serve', process.argv.slice(3));
} catch (error) {
  const lines =
    error instanceof ConfigError ? error.problems : [error instanceof Error ? error.message : String(error)];
  for (const line of lines) console.error(`polykeep: ${line}`);
  process.exit(1);
}

async function run(command: string, args: string[]): Promise<void> {
  switch (command) {
    case 'serve':
    case 'api':
    case 'worker':
      return serve(command);
    case 'migrate':
      return migrate();
    case 'grant-reader': {
      const { grantReader } = await import('./commands/grant-reader.ts');
      const [name, ...others] = args;
      if (name === undefined || others.length > 0) throw new Error('usage: polykeep grant-reader NAME');
      return console.log(await grantReader(readConfig(command), name));
    }
    case 'track': {
      const { track } = await import('./commands/track.ts');
      process.exitCode = await track(args, readConfig(command));
      return;
    }
    case 'export': {
      const { exportCalls } = await import('./commands/export.ts');
      return exportCalls(args, readConfig(command));
    }
    case 'demo': {
      const { runDemo } = await import('./demo.ts');
      return runDemo();
    }
    case 'help':
    case '--help':
    case '-h':
      return console.log(USAGE);
    default:
      throw new Error(`unknown command ${command}\n${USAGE}`);
  }
}

async function serve(role: Role): Promise<void> {
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

async function migrate(): Promise<void> {
  const config = readConfig('migrate');
  const log = createLog(config.LOG_LEVEL);
  const { DATABASE_URL } = config;
  if (DATABASE_URL === undefined) return;
  await migrateDatabase(DATABASE_URL, log);
  log.info('schema is up to date');
}
