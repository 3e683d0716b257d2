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
import { type Command, FOLLOWS, missing } from './required.ts';
import { namedByFile, readSecretFiles } from './secret-files.ts';

type Variables = Readonly<Record<string, string | undefined>>;

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

const validate = new Ajv({
  allErrors: true,
  coerceTypes: true,
  useDefaults: true,
  // All that is not ours is left out of the result: the environment holds other programs' secrets.
  removeAdditional: 'all',
  formats: FORMATS,
}).compile<Environment>(Environment);

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
  // What is missing may be there under a name that is misspelt.
  if (problems.length > 0) throw new ConfigError([...problems, ...config.warnings]);
  return config;
}

/** The same, for who can go on with what is right. */
export function tryConfig(command: Command, environment: Variables = process.env): ReadConfig {
  const foreign = kubernetesPorts(environment);
  const set = Object.fromEntries(
    Object.entries({ ...environment, ...proxyVariables(environment) }).filter(
      ([name, value]) => value !== undefined && value !== '' && !foreign.includes(name),
    ),
  );
  const problems: string[] = [];
  const { values: given, unread } = readSecretFiles(set, problems);
  const isGiven = (name: string) => given[name] !== undefined || unread.includes(name);
  problems.push(...missing(command, { isGiven, host: given.HOST }));
  const { values, wrong } = usable(given, unread, problems);
  if (values.POLL_INTERVAL_MIN_MS > values.POLL_INTERVAL_MAX_MS && !wrong.has('POLL_INTERVAL_MAX_MS')) {
    problems.push('POLL_INTERVAL_MIN_MS: must not be more than POLL_INTERVAL_MAX_MS');
  }
  const apiKeys = values.API_KEYS === undefined ? [] : readApiKeys(values.API_KEYS, problems);
  const statsBy = readStatsBy(values.STATS_BY, problems);
  const webhooksAllow = readAllowance(values.WEBHOOKS_ALLOW, problems);
  const follows = FOLLOWS.includes(command);
  const { accounts, variables } = follows
    ? readAccounts(values, { given, isGiven, wrong }, problems)
    : NO_ACCOUNTS;
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
  const config = { ...rest, accounts, apiKeys, statsBy, webhooksAllow, proxies, warnings };
  return { config, problems: namedByFile(problems, given) };
}

/** What of the variables can be used, each by itself, with the defaults for the rest; and the names of the others. */
function usable(
  given: Variables,
  unread: readonly string[],
  problems: string[],
): { values: Environment; wrong: ReadonlySet<string> } {
  const candidate: Record<string, unknown> = { ...given };
  const wrong = new Set<string>();
  for (const { name, problem } of addressProblems(given, unread)) {
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

const NO_ACCOUNTS = { accounts: [], variables: [] };

interface Reading {
  given: Variables;
  /** Whether somebody meant to set it, be it usable or not. */
  isGiven: (name: string) => boolean;
  wrong: ReadonlySet<string>;
}

function readAccounts(
  config: Environment,
  { given, isGiven, wrong }: Reading,
  problems: string[],
): { accounts: AccountSettings[]; variables: readonly string[] } {
  const pace = {
    intervalMinMs: config.POLL_INTERVAL_MIN_MS,
    intervalMaxMs: config.POLL_INTERVAL_MAX_MS,
    backoffMaxMs: config.POLL_BACKOFF_MAX_MS,
  };
  const { POLYAI_AUTH_TOKEN: token, ACCOUNTS_FILE: path } = config;
  if (!isGiven('POLYAI_AUTH_TOKEN') && path !== undefined) {
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
