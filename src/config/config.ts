import { Ajv } from 'ajv';
import { type Static, Type } from 'typebox';
import type { AccountSettings } from '../accounts/accounts.ts';
import { type ApiKey, readApiKeys } from '../api/door/api-keys.ts';
import { plainLines } from '../api/validation.ts';
import type { ProxySettings } from '../network/proxies.ts';
import { APIS } from '../polyai/apis.ts';
import { type Allowance, readAllowance } from '../push/allowance.ts';
import { readAccountsFile, singleAccount } from './accounts-file.ts';
import { addressProblems, proxyVariables } from './addresses.ts';
import { ConfigError } from './config-error.ts';
import { FORMATS, VISIBLE_PATTERN, WORDS } from './formats.ts';

const MAX_TIMER_MS = 2 ** 31 - 1;

const duration = (defaultMs: number, minimum = 1) =>
  Type.Integer({ minimum, maximum: MAX_TIMER_MS, default: defaultMs });

/** The environment, as README documents it. Values are text there; whole numbers are read from it. */
export const Environment = Type.Object({
  POLYAI_AUTH_TOKEN: Type.Optional(Type.String({ pattern: VISIBLE_PATTERN })),
  POLYAI_BASE_URL: Type.Optional(Type.String({ format: 'http-url' })),
  POLYAI_API: Type.Enum(
    APIS.map(({ name }) => name),
    { default: 'outbound-calling' },
  ),
  POLYAI_AGENT_ID: Type.Optional(Type.String()),
  POLYAI_ENVIRONMENT: Type.Optional(Type.String()),
  POLYAI_MAX_REQUESTS_PER_SECOND: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1_000_000 })),
  /** Whether HTTP/2 is spoken where PolyAI offers it. */
  POLYAI_HTTP2: Type.Boolean({ default: false }),
  ACCOUNTS_FILE: Type.Optional(Type.String()),
  API_KEYS: Type.Optional(Type.String()),
  /** Of one key in one process; without keys, of one address. */
  API_MAX_REQUESTS_PER_SECOND: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 5_000 }),
  HOST: Type.String({ default: '127.0.0.1' }),
  PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 8080 }),
  /** Of a worker, for its health and metrics alone; without it a worker does not listen. */
  WORKER_PORT: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535 })),
  DATABASE_URL: Type.Optional(Type.String()),
  /** Where DATABASE_URL is a pooler in transaction mode: the server itself. */
  DATABASE_DIRECT_URL: Type.Optional(Type.String()),
  DATA_DIR: Type.String({ default: './data' }),
  EMBEDDED_POSTGRES_PORT: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
  REDIS_URL: Type.Optional(Type.String()),
  /** Of https:// URLs of PolyAI, and of http:// ones; NO_PROXY has those that are reached without. */
  HTTPS_PROXY: Type.Optional(Type.String()),
  HTTP_PROXY: Type.Optional(Type.String()),
  NO_PROXY: Type.Optional(Type.String()),
  POLL_INTERVAL_MIN_MS: duration(2_000),
  POLL_INTERVAL_MAX_MS: duration(5_000),
  POLL_TIMEOUT_MS: duration(10_000),
  POLL_BACKOFF_MAX_MS: duration(60_000),
  LEASE_MS: duration(60_000),
  NOT_FOUND_GRACE_MS: duration(120_000, 0),
  /** How long PolyAI keeps a call after its end. */
  POLYAI_RETENTION_MS: duration(7_200_000, 0),
  MAX_TRACKING_MS: duration(86_400_000),
  /** Of a call, after it settled; without it calls are kept for ever. */
  RETENTION_DAYS: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
  /** Keys of metadata that statistics are kept by. */
  STATS_BY: Type.Optional(Type.String()),
  /** The root that each webhook's secret is derived from. */
  WEBHOOKS_SECRET: Type.Optional(Type.String({ minLength: 32, pattern: VISIBLE_PATTERN })),
  /** What webhooks may reach beside public addresses over https. */
  WEBHOOKS_ALLOW: Type.String({ default: 'loopback' }),
  WORKER_CONCURRENCY: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 20_000 }),
  /** Of a running polykeep, for the commands that talk to one. */
  POLYKEEP_API_KEY: Type.Optional(Type.String({ pattern: VISIBLE_PATTERN })),
  LOG_LEVEL: Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], { default: 'info' }),
});

export type Environment = Static<typeof Environment>;

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
};

/** They need an account to talk to PolyAI with. */
const FOLLOWS: readonly Command[] = ['serve', 'api', 'worker'];

/** Without a token they say nothing: better to be told than to be ignored. */
const SINGLE_ACCOUNT = [
  'POLYAI_BASE_URL',
  'POLYAI_API',
  'POLYAI_AGENT_ID',
  'POLYAI_ENVIRONMENT',
  'POLYAI_MAX_REQUESTS_PER_SECOND',
];

/** Takes what the environment does not say from the file `.env` of the working directory, where there is one. */
export function loadEnvironmentFile(): void {
  try {
    process.loadEnvFile('.env');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) {
      throw new ConfigError(['.env: cannot be read']);
    }
  }
}

/**
 * Reads the environment, and the files that it names; an empty variable counts as unset. Throws `ConfigError` with all
 * that is wrong.
 */
export function readConfig(
  command: Command,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Config {
  const candidate = Object.fromEntries(
    Object.entries({ ...environment, ...proxyVariables(environment) }).filter(
      ([, value]) => value !== undefined && value !== '',
    ),
  );
  const problems = [...missing(command, environment), ...addressProblems(candidate)];
  if (!validate(candidate)) throw new ConfigError([...problems, ...plainLines(validate.errors ?? [], WORDS)]);
  if (candidate.POLL_INTERVAL_MIN_MS > candidate.POLL_INTERVAL_MAX_MS) {
    problems.push('POLL_INTERVAL_MIN_MS: must not be more than POLL_INTERVAL_MAX_MS');
  }
  const apiKeys = candidate.API_KEYS === undefined ? [] : readApiKeys(candidate.API_KEYS, problems);
  const statsBy = readStatsBy(candidate.STATS_BY, problems);
  const webhooksAllow = readAllowance(candidate.WEBHOOKS_ALLOW, problems);
  const accounts = FOLLOWS.includes(command) ? readAccounts(candidate, environment, problems) : [];
  if (problems.length > 0) throw new ConfigError(problems);
  const {
    API_KEYS: _keys,
    POLYAI_AUTH_TOKEN: _token,
    STATS_BY: _by,
    WEBHOOKS_ALLOW: _allow,
    HTTPS_PROXY,
    HTTP_PROXY,
    NO_PROXY,
    ...rest
  } = candidate;
  const proxies = { https: HTTPS_PROXY ?? null, http: HTTP_PROXY ?? null, except: NO_PROXY ?? null };
  return { ...rest, accounts, apiKeys, statsBy, webhooksAllow, proxies };
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
function missing(
  command: Command,
  {
    POLYAI_AUTH_TOKEN,
    ACCOUNTS_FILE,
    HOST,
    API_KEYS,
    ...others
  }: Readonly<Record<string, string | undefined>>,
): string[] {
  const problems = REQUIRED[command]
    .filter((name) => !others[name])
    .map((name) => `${name}: required by the command ${command}`);
  if (FOLLOWS.includes(command) && !POLYAI_AUTH_TOKEN && !ACCOUNTS_FILE) {
    problems.push(`POLYAI_AUTH_TOKEN: required by the command ${command}, or ACCOUNTS_FILE`);
  }
  if (HOST && !API_KEYS && !LOOPBACK.test(HOST)) {
    problems.push(
      'HOST: must be a loopback address: without API_KEYS who reaches the port can read all calls',
    );
  }
  return problems;
}

function readAccounts(
  config: Environment,
  environment: Readonly<Record<string, string | undefined>>,
  problems: string[],
): AccountSettings[] {
  const pace = {
    intervalMinMs: config.POLL_INTERVAL_MIN_MS,
    intervalMaxMs: config.POLL_INTERVAL_MAX_MS,
    backoffMaxMs: config.POLL_BACKOFF_MAX_MS,
  };
  const { POLYAI_AUTH_TOKEN: token, ACCOUNTS_FILE: path } = config;
  if (token === undefined && path !== undefined) {
    for (const name of SINGLE_ACCOUNT.filter((name) => environment[name])) {
      problems.push(
        `${name}: means nothing without POLYAI_AUTH_TOKEN; an account of ACCOUNTS_FILE has its own`,
      );
    }
  }
  const single =
    token === undefined ? [] : singleAccount({ ...config, POLYAI_AUTH_TOKEN: token }, pace, problems);
  const several = path === undefined ? [] : readAccountsFile(path, environment, pace, problems);
  if (single.length > 0 && several.some(({ name }) => name === 'default')) {
    problems.push('ACCOUNTS_FILE: the account default is that of POLYAI_AUTH_TOKEN');
  }
  return [...single, ...several];
}
