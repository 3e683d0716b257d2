import { dirname, resolve } from 'node:path';
import { Ajv } from 'ajv';
import { type Static, Type } from 'typebox';
import type { AccountSettings } from '../accounts/accounts.ts';
import { listed, plainMisfits } from '../api/validation.ts';
import type { PaceSettings } from '../call/pace.ts';
import type { PolyAiApi, Scope } from '../polyai/api.ts';
import { APIS } from '../polyai/apis.ts';
import { parseJson } from '../polyai/json.ts';
import { FORMATS, VISIBLE_PATTERN, WORDS } from './formats.ts';
import { linesOf } from './json-lines.ts';
import { readText } from './text-file.ts';

/** The accounts of the configuration. What is wrong is added to `problems`, one plain line each, never with a token. */

const MAX_INTERVAL_MS = 3_600_000;
const TOKEN = new RegExp(VISIBLE_PATTERN);

const interval = Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_INTERVAL_MS }));

const FileAccount = Type.Object(
  {
    name: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' }),
    api: Type.Optional(Type.Enum(APIS.map(({ name }) => name))),
    baseUrl: Type.Optional(Type.String({ format: 'http-url' })),
    token: Type.Union([
      Type.String(),
      Type.Object({ env: Type.String() }, { additionalProperties: false }),
      Type.Object({ file: Type.String() }, { additionalProperties: false }),
    ]),
    maxRequestsPerSecond: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1_000_000 })),
    pollIntervalMinMs: interval,
    pollIntervalMaxMs: interval,
    ...Object.fromEntries(
      APIS.flatMap(({ scope }) => Object.keys(scope)).map((key) => [key, Type.Optional(Type.String())]),
    ),
  },
  { additionalProperties: false },
);
type FileAccount = Static<typeof FileAccount>;

const AccountsFile = Type.Object(
  { accounts: Type.Array(FileAccount, { minItems: 1 }) },
  { additionalProperties: false },
);

const validate = new Ajv({ allErrors: true, formats: FORMATS }).compile<Static<typeof AccountsFile>>(
  AccountsFile,
);

type Environment = Readonly<Record<string, string | undefined>>;

interface SingleAccount {
  POLYAI_API: string;
  POLYAI_AUTH_TOKEN: string;
  POLYAI_BASE_URL?: string;
  POLYAI_AGENT_ID?: string;
  POLYAI_ENVIRONMENT?: string;
  POLYAI_MAX_REQUESTS_PER_SECOND?: number;
}

/** The account `default` of the single-account variables. */
export function singleAccount(
  config: SingleAccount,
  pace: PaceSettings,
  problems: string[],
): AccountSettings[] {
  const api = apiOf(config.POLYAI_API);
  const given = { agentId: config.POLYAI_AGENT_ID, environment: config.POLYAI_ENVIRONMENT };
  const scope = readScope(api, given, (key, problem) => problems.push(`${variableOf(key)}: ${problem}`));
  return [
    {
      name: 'default',
      api,
      baseUrl: config.POLYAI_BASE_URL ?? api.defaultBaseUrl,
      token: config.POLYAI_AUTH_TOKEN,
      scope,
      maxRequestsPerSecond: config.POLYAI_MAX_REQUESTS_PER_SECOND ?? null,
      pace,
    },
  ];
}

/** The accounts of the file, and the variables that it names; `pace` is theirs where they say no other. */
export function readAccountsFile(
  path: string,
  environment: Environment,
  pace: PaceSettings,
  problems: string[],
): { accounts: AccountSettings[]; variables: string[] } {
  const report = (problem: string) => void problems.push(`ACCOUNTS_FILE: ${problem}`);
  const nothing = { accounts: [], variables: [] };
  const { text, error } = readText(path);
  if (text === null) return report(`${path} cannot be read (${error})`) ?? nothing;
  const lines = linesOf(text);
  const reportAt = (at: readonly string[], problem: string) =>
    report(`${path} line ${lines.lineOf(at)}: ${problem}`);
  const content = parseJson(text);
  if (content === undefined) {
    const { line, words } = lines.mistake ?? { line: 1, words: 'another mistake' };
    return report(`${path} line ${line}: is not JSON: ${words}`) ?? nothing;
  }
  if (!validate(content)) {
    for (const { place, line } of plainMisfits(validate.errors ?? [], WORDS)) reportAt(place, line);
    return nothing;
  }
  const seen = new Set<string>();
  const accounts = content.accounts.map((account, index) => {
    const complain = (problem: string, key: string[] = []) =>
      reportAt(['accounts', `${index}`, ...key], `account ${account.name}: ${problem}`);
    if (seen.has(account.name)) complain('is there twice', ['name']);
    seen.add(account.name);
    return settingsOf(account, { environment, folder: dirname(path), pace, complain });
  });
  return { accounts, variables: content.accounts.flatMap(variableOfToken) };
}

function variableOfToken({ token }: FileAccount): string[] {
  return typeof token === 'object' && 'env' in token ? [token.env] : [];
}

interface Reading {
  environment: Environment;
  /** What a token's path is relative to. */
  folder: string;
  pace: PaceSettings;
  /** Of the whole account, or of what stands at this key. */
  complain: (problem: string, key?: string[]) => void;
}

function settingsOf(account: FileAccount, reading: Reading): AccountSettings {
  const { complain, pace } = reading;
  const api = apiOf(account.api ?? 'outbound-calling');
  const { pollIntervalMinMs: min, pollIntervalMaxMs: max } = account;
  const intervals = { intervalMinMs: min ?? pace.intervalMinMs, intervalMaxMs: max ?? pace.intervalMaxMs };
  if (intervals.intervalMinMs > intervals.intervalMaxMs) {
    complain('pollIntervalMinMs: must not be more than pollIntervalMaxMs', ['pollIntervalMinMs']);
  }
  return {
    name: account.name,
    api,
    baseUrl: account.baseUrl ?? api.defaultBaseUrl,
    token: readToken(account.token, reading),
    scope: readScope(api, account, (key, problem) => complain(`${key}: ${problem}`, [key])),
    maxRequestsPerSecond: account.maxRequestsPerSecond ?? null,
    pace: { ...pace, ...intervals },
  };
}

function readToken(token: FileAccount['token'], { environment, folder, complain }: Reading): string {
  const [value, from] =
    typeof token === 'string'
      ? [token, 'token']
      : 'env' in token
        ? [environment[token.env] ?? '', `token: the variable ${token.env}`]
        : [readText(resolve(folder, token.file)).text?.trim() ?? '', `token: the file ${token.file}`];
  if (value === '') complain(`${from} is missing or empty`, ['token']);
  else if (!TOKEN.test(value)) complain(`${from} ${WORDS[VISIBLE_PATTERN]}`, ['token']);
  return value;
}

/** What the API needs to know beside the token: all of it, and nothing that means nothing to it. */
function readScope(
  api: PolyAiApi,
  given: Readonly<Record<string, unknown>>,
  complain: (key: string, problem: string) => void,
): Scope {
  const scope: Record<string, string> = {};
  for (const [key, form] of Object.entries(api.scope)) {
    const value = given[key];
    if (typeof value !== 'string') complain(key, `required by the API ${api.name}`);
    else if (!form.test(value)) complain(key, wordsOfForm(form));
    else scope[key] = value;
  }
  for (const key of new Set(APIS.flatMap((other) => Object.keys(other.scope)))) {
    if (given[key] !== undefined && !(key in api.scope))
      complain(key, `means nothing to the API ${api.name}`);
  }
  return scope;
}

/** `agentId` is `POLYAI_AGENT_ID` among the variables. */
function variableOf(key: string): string {
  return `POLYAI_${key.replace(/[A-Z]/g, '_$&').toUpperCase()}`;
}

/** The schemas let no other name through. */
function apiOf(name: string): PolyAiApi {
  const api = APIS.find((candidate) => candidate.name === name);
  if (api === undefined) throw new Error(`no API ${name}`);
  return api;
}

/** `^(sandbox|live)$` lists what is allowed. */
function wordsOfForm({ source }: RegExp): string {
  const [, values] = /^\^\(([\w|-]+)\)\$$/.exec(source) ?? [];
  return values === undefined ? `must match ${source}` : `must be ${listed(values.split('|'))}`;
}
