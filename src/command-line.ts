import { parseArgs } from 'node:util';
import type { Config } from './config/config.ts';
import { ConfigError } from './config/config-error.ts';
import type { Command } from './config/required.ts';
import { codeOf, wordsOf } from './words.ts';

const USAGE = `usage: polykeep COMMAND

  serve     the API and a worker in one process; with nothing configured but the token it brings its own Postgres
  api       the API alone       (DATABASE_URL and REDIS_URL required)
  worker    a worker alone      (DATABASE_URL and REDIS_URL required)
  migrate   bring the schema of DATABASE_URL up to date, and end
  grant-reader NAME
            make a role that may read the schema polykeep and nothing else, and print its URL
  psql [OPTIONS]
            open psql on the database, with psql's own options; without psql on the PATH, print its URL
  track FILE [--dry-run] [--url URL] [--key KEY]
            register the calls of a csv, or of a file with one callSid per line (-: standard input), with a running
            polykeep; --dry-run only reads and checks the file
  export    calls to a file: --format csv|ndjson|parquet --output FILE (- for standard output)
            [--status S] [--outcome O] [--account A] [--registered-from TIME] [--registered-to TIME]
            [--settled-from TIME] [--settled-to TIME] [--reason R] [--call-sid-prefix P]
            [--metadata KEY=VALUE] [--bom] (of csv: the mark by which Excel knows UTF-8)
  check     try the configuration, Postgres, Redis, each account and the webhooks' root: a line each, ✓ or ✗ and what
            to do; exit code 1 where one is ✗
  check --statistics
            count all calls anew, beside those who write, and put right what statistics have otherwise; exit code 1
            where there was something
  demo [--keep] [--port PORT]
            watch a few calls, from registration to a history that outlives PolyAI's; with --keep it goes on, for
            the page to be looked at
  simulate [--port 9099] [--host 127.0.0.1] [--token TOKEN] [--life queued:2000,calling:5000,success]
            [--forget-after-ms MS] [--max-requests-per-second N]
            a PolyAI to try polykeep with, whose calls end as their callSids say; it tells how
  mcp [--url URL]
            the Model Context Protocol on standard input and output: an assistant may find and count calls of a running
            polykeep, and ask how it is; POLYKEEP_API_KEY is its key
  --version print the version`;

const DEMO_OPTIONS = { keep: { type: 'boolean' }, port: { type: 'string' } } as const;

/**
 * Runs what the command line asks for, `serve` where it asks for nothing. Ends the process with exit code 1, and a plain
 * line for each thing that is wrong, where it cannot. Each command imports what it needs when it is run: the whole of
 * polykeep takes half a second to load.
 */
export async function runCommandLine([command = 'serve', ...args]: readonly string[]): Promise<void> {
  try {
    await run(command, args);
  } catch (error) {
    const lines = error instanceof ConfigError ? error.problems : [await lineOf(error)];
    for (const line of lines) console.error(`polykeep: ${line}`);
    process.exit(1);
  }
}

async function run(command: string, args: string[]): Promise<void> {
  // psql has a --help of its own.
  if (command !== 'psql' && args.includes('--help')) return console.log(USAGE);
  switch (command) {
    case 'serve':
    case 'api':
    case 'worker': {
      refuseOptions(command, args);
      const { serve } = await import('./serve.ts');
      return serve(command);
    }
    case 'migrate': {
      refuseOptions(command, args);
      const { migrate } = await import('./commands/migrate.ts');
      return migrate(await configOf(command));
    }
    case 'grant-reader': {
      const { grantReader } = await import('./commands/grant-reader.ts');
      const [name, ...others] = args;
      if (name === undefined || others.length > 0) throw new Error('usage: polykeep grant-reader NAME');
      return console.log(await grantReader(await configOf(command), name));
    }
    case 'psql': {
      const { psql } = await import('./commands/psql.ts');
      process.exitCode = await psql(args, await configOf(command), process.env);
      return;
    }
    case 'track': {
      const { track } = await import('./commands/track.ts');
      process.exitCode = await track(args, await configOf(command));
      return;
    }
    case 'export': {
      const { exportCalls } = await import('./commands/export-calls.ts');
      return exportCalls(args, await configOf(command));
    }
    case 'check': {
      process.exitCode = await check(args);
      return;
    }
    case 'demo': {
      const { runDemo } = await import('./demo.ts');
      const { values } = parseArgs({ args, options: DEMO_OPTIONS });
      return runDemo(values);
    }
    case 'simulate': {
      const { simulate } = await import('./simulator/simulate.ts');
      return simulate(args);
    }
    case 'mcp': {
      const { mcp } = await import('./commands/mcp.ts');
      return mcp(args, await configOf(command));
    }
    case '--version':
    case '-v': {
      const { VERSION } = await import('./commands/version.ts');
      return console.log(VERSION);
    }
    case 'help':
    case '--help':
    case '-h':
      return console.log(USAGE);
    default:
      throw new Error(`unknown command ${command}\n${USAGE}`);
  }
}

function refuseOptions(command: string, [first]: readonly string[]): void {
  if (first === undefined) return;
  throw new Error(`${command} takes no ${first}: it is configured by variables, as PORT, which README lists`);
}

async function check(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { statistics: { type: 'boolean', default: false } } });
  if (values.statistics) {
    const { checkStatistics } = await import('./commands/check-statistics.ts');
    return checkStatistics(await configOf('check --statistics'));
  }
  const [{ check: checkAll }, { tryConfig }, { loadEnvironmentFile }] = await Promise.all([
    import('./commands/check.ts'),
    import('./config/config.ts'),
    import('./config/environment-file.ts'),
  ]);
  loadEnvironmentFile();
  return checkAll(tryConfig('check'));
}

/** Codes of errors that are a matter of which server, or which role there, was named. */
const OF_DATABASE: readonly (string | null)[] = [
  'postgres_connect',
  'migration_denied',
  'database_encoding',
  'read_only_server',
];

/** What went wrong, with the variable that says where. */
async function lineOf(error: unknown): Promise<string> {
  if (!OF_DATABASE.includes(codeOf(error))) return wordsOf(error);
  const { variableOf } = await import('./commands/archive-url.ts');
  return `${variableOf(process.env)}: ${wordsOf(error)}`;
}

async function configOf(command: Command): Promise<Config> {
  const [{ readConfig }, { loadEnvironmentFile }] = await Promise.all([
    import('./config/config.ts'),
    import('./config/environment-file.ts'),
  ]);
  loadEnvironmentFile();
  return readConfig(command);
}
