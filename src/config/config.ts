import { Ajv } from 'ajv';
import type { AccountSettings } from '../accounts/accounts.ts';
import { type ApiKey, readApiKeys } from '../api/door/api-keys.ts';
import { plainLines } from '../api/validation.ts';
import type { ProxySettings } from '../network/proxies.ts';
import { type Allowance, readAllowance } from '../push/allowance.ts';
import { readAccountsFile, singleAccount } from './accounts-file.ts';
import { addressProblems, proxyVariables } from './addresses.ts';
import { ConfigError } from './config-error.ts';
import { Environment } from './environment.ts';
import { FORMATS, WORDS } from './formats.ts';
import { kubernetesPorts, unknownVariables, wordsOfPort } from './other-variables.ts';

type Secret = 'API_KEYS' | 'POLYAI_AUTH_TOKEN';
type OfProxies = 'HTTPS_PROXY' | 'HTTP_PROXY' | 'NO_PROXY';
type Lists = 'STATS_BY' | 'WEBHOOKS_ALLOW';

export interface Config extends Omit<Environment, Secret | OfProxies | Lists> {
  /** Of the single-account variables and the accounts file; none for commands that talk to no PolyAI. */
  accounts: readonly AccountSettings[];
  /** Without any, only this machine can reach the API. */
  apiKeys: readonly ApiKey[];
  /** The keys of `STATS_BY`, each once. */
  statsBy: readonly string[];
  webhooksAllow: Allowance;
  /** By which PolyAI and webhooks are reached. */
  proxies: ProxySettings;
  /** Variables that somebody may have meant otherwise, one plain line each. */
  warnings: readonly string[];
}

const LOOPBACK = /^(localhost|::1|127(\.\d{1,3}){3})$/;

const validate = new Ajv({
  allErrors: true,
  coerceTypes: true,
  useDefaults: true,
  // All that is not ours is left out of the result: the environment holds other programs' secrets.
  removeAdditional: 'all',
  formats: FORMATS,
}).compile<Environment>(Environment);

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

type Variables = Readonly<Record<string, string | undefined>>;

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
const FOLLOWS: readonly Command[] = ['serve', 'api', 'worker', 'check'];

/** Without a token they say nothing: better to be told than to be ignored. */
const SINGLE_ACCOUNT = [
  'POLYAI_BASE_URL',
  'POLYAI_API',
  'POLYAI_AGENT_ID',
  'POLYAI_ENVIRONMENT',
  'POLYAI_MAX_REQUESTS_PER_SECOND',
];

/** The configuration as far as it can be used, and what is wrong with the rest, one plain line each. */
export interface ReadConfig {
  /** A variable that cannot be used is as unset here. */
  config: Config;
  problems: readonly string[];
}

/**
 * Reads the environment, and the files that it names; an empty variable counts as unset. Throws `ConfigError` with all
 * that is wrong.
 */
export function readConfig(command: Command, environment: Variables = process.env): Config {
  const { config, problems } = tryConfig(command, environment);
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** The same, for who can go on with what is right. */
export function tryConfig(command: Command, environment: Variables = process.env): ReadConfig {
  const foreign = kubernetesPorts(environment);
  const given = Object.fromEntries(
    Object.entries({ ...environment, ...proxyVariables(environment) }).filter(
      ([name, value]) => value !== undefined && value !== '' && !foreign.includes(name),
    ),
  );
  const problems = missing(command, given);
  const { values, wrong } = usable(given, problems);
  if (values.POLL_INTERVAL_MIN_MS > values.POLL_INTERVAL_MAX_MS && !wrong.has('POLL_INTERVAL_MAX_MS')) {
    problems.push('POLL_INTERVAL_MIN_MS: must not be more than POLL_INTERVAL_MAX_MS');
  }
  const apiKeys = values.API_KEYS === undefined ? [] : readApiKeys(values.API_KEYS, problems);
  const statsBy = readStatsBy(values.STATS_BY, problems);
  const webhooksAllow = readAllowance(values.WEBHOOKS_ALLOW, problems);
  const follows = FOLLOWS.includes(command);
  const { accounts, variables } = follows ? readAccounts(values, given, wrong, problems) : NO_ACCOUNTS;
  const warnings = [
    ...foreign.map(wordsOfPort),
    ...(follows ? unknownVariables(Object.keys(environment), variables) : []),
  ];
  const {
    API_KEYS: _keys,
    POLYAI_AUTH_TOKEN: _token,
    STATS_BY: _by,
    WEBHOOKS_ALLOW: _allow,
    HTTPS_PROXY,
    HTTP_PROXY,
    NO_PROXY,
    ...rest
  } = values;
  const proxies = { https: HTTPS_PROXY ?? null, http: HTTP_PROXY ?? null, except: NO_PROXY ?? null };
  return { config: { ...rest, accounts, apiKeys, statsBy, webhooksAllow, proxies, warnings }, problems };
}

/** What of the variables can be used, each by itself, with the defaults for the rest; and the names of the others. */
function usable(
  given: Readonly<Record<string, string | undefined>>,
  problems: string[],
): { values: Environment; wrong: ReadonlySet<string> } {
  const candidate: Record<string, unknown> = { ...given };
  const wrong = new Set<string>();
  for (const { name, problem } of addressProblems(given)) {
    problems.push(`${name}: ${problem}`);
    wrong.add(name);
    delete candidate[name];
  }
  if (validate(candidate)) return { values: candidate, wrong };
  problems.push(...plainLines(validate.errors ?? [], WORDS));
  for (const { instancePath } of validate.errors ?? []) {
    const name = instancePath.slice(1);
    wrong.add(name);
    delete candidate[name];
  }
  if (validate(candidate)) return { values: candidate, wrong };
  throw new ConfigError(problems);
}

/** Each is one more row that most writes of a call add to. */
const MAX_STATS_KEYS = 10;

function readStatsBy(text: string | undefined, problems: string[]): string[] {
  if (text === undefined) return [];
  const keys = new Set(text.split(',').map((key) => key.trim()));
  if (keys.has('')) problems.push('STATS_BY: has an empty key: must be keys of metadata with commas between');
  if (keys.size > MAX_STATS_KEYS) problems.push(`STATS_BY: must have no more than ${MAX_STATS_KEYS} keys`);
  return [...keys];
}

/** What is wrong with the variables taken together, whatever is wrong with each. */
function missing(command: Command, given: Variables): string[] {
  const problems = REQUIRED[command]
    .filter((name) => given[name] === undefined)
    .map((name) => `${name}: required by the command ${command}`);
  const { POLYAI_AUTH_TOKEN, ACCOUNTS_FILE, HOST, API_KEYS } = given;
  if (FOLLOWS.includes(command) && POLYAI_AUTH_TOKEN === undefined && ACCOUNTS_FILE === undefined) {
    problems.push(`POLYAI_AUTH_TOKEN: required by the command ${command}, or ACCOUNTS_FILE`);
  }
  if (HOST !== undefined && API_KEYS === undefined && !LOOPBACK.test(HOST)) {
    problems.push(
      'HOST: must be a loopback address: without API_KEYS who reaches the port can read all calls',
    );
  }
  return problems;
}

const NO_ACCOUNTS = { accounts: [], variables: [] };

function readAccounts(
  config: Environment,
  given: Variables,
  wrong: ReadonlySet<string>,
  problems: string[],
): { accounts: AccountSettings[]; variables: readonly string[] } {
  const pace = {
    intervalMinMs: config.POLL_INTERVAL_MIN_MS,
    intervalMaxMs: config.POLL_INTERVAL_MAX_MS,
    backoffMaxMs: config.POLL_BACKOFF_MAX_MS,
  };
  const { POLYAI_AUTH_TOKEN: token, ACCOUNTS_FILE: path } = config;
  if (given.POLYAI_AUTH_TOKEN === undefined && path !== undefined) {
    for (const name of SINGLE_ACCOUNT.filter((name) => given[name] !== undefined)) {
      problems.push(
        `${name}: means nothing without POLYAI_AUTH_TOKEN; an account of ACCOUNTS_FILE has its own`,
      );
    }
  }
  // Which scope an account must have is for its API to say.
  const single =
    token === undefined || wrong.has('POLYAI_API')
      ? []
      : singleAccount({ ...config, POLYAI_AUTH_TOKEN: token }, pace, problems);
  const file = path === undefined ? NO_ACCOUNTS : readAccountsFile(path, given, pace, problems);
  if (single.length > 0 && file.accounts.some(({ name }) => name === 'default')) {
    problems.push('ACCOUNTS_FILE: the account default is that of POLYAI_AUTH_TOKEN');
  }
  return { accounts: [...single, ...file.accounts], variables: file.variables };
}
