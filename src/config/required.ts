import type { Environment } from './environment.ts';

/** Which of polykeep's commands reads the configuration: they need different parts of it. */
export type Command =
  | 'serve'
  | 'api'
  | 'worker'
  | 'migrate'
  | 'export'
  | 'grant-reader'
  | 'psql'
  | 'track'
  | 'check'
  | 'check --statistics'
  | 'mcp';

/** What each command cannot do without. Processes that share the work share Postgres and Redis. */
const REQUIRED: Record<Command, readonly (keyof Environment)[]> = {
  serve: [],
  api: ['DATABASE_URL', 'REDIS_URL'],
  worker: ['DATABASE_URL', 'REDIS_URL'],
  migrate: ['DATABASE_URL'],
  'grant-reader': [],
  psql: [],
  track: [],
  export: [],
  check: [],
  mcp: [],
  'check --statistics': [],
};

/** They need an account to talk to PolyAI with. */
export const FOLLOWS: readonly Command[] = ['serve', 'api', 'worker', 'check'];

const LOOPBACK = /^(localhost|::1|127(\.\d{1,3}){3})$/;

/** What is wrong with the variables taken together, whatever is wrong with each. */
export function missing(
  command: Command,
  { isGiven, host }: { isGiven: (name: string) => boolean; host: string | undefined },
): string[] {
  const problems = REQUIRED[command]
    .filter((name) => !isGiven(name))
    .map((name) => `${name}: required by the command ${command}`);
  if (FOLLOWS.includes(command) && !isGiven('POLYAI_AUTH_TOKEN') && !isGiven('ACCOUNTS_FILE')) {
    problems.push(`POLYAI_AUTH_TOKEN: required by the command ${command}, or ACCOUNTS_FILE`);
  }
  if (host !== undefined && !isGiven('API_KEYS') && !LOOPBACK.test(host)) {
    problems.push(
      'HOST: must be a loopback address: without API_KEYS who reaches the port can read all calls',
    );
  }
  return problems;
}
