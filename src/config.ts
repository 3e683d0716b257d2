import { Ajv, type ErrorObject } from 'ajv';
import { type Static, Type } from 'typebox';

const MAX_TIMER_MS = 2 ** 31 - 1;

const duration = (defaultMs: number, minimum = 1) =>
  Type.Integer({ minimum, maximum: MAX_TIMER_MS, default: defaultMs });

/** The environment, as README documents it. Values are text there; whole numbers are read from it. */
const Environment = Type.Object({
  /** Empty for commands that talk to no PolyAI. */
  POLYAI_AUTH_TOKEN: Type.String({ default: '', pattern: '^[\\x21-\\x7e]*$' }),
  POLYAI_BASE_URL: Type.String({ format: 'http-url', default: 'https://api.us-1.platform.polyai.app' }),
  POLYAI_API: Type.Enum(['outbound-calling'], { default: 'outbound-calling' }),
  HOST: Type.String({ format: 'loopback', default: '127.0.0.1' }),
  PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 8080 }),
  DATABASE_URL: Type.Optional(Type.String({ format: 'postgres-url' })),
  DATA_DIR: Type.String({ default: './data' }),
  REDIS_URL: Type.Optional(Type.String({ format: 'redis-url' })),
  POLL_INTERVAL_MIN_MS: duration(2_000),
  POLL_INTERVAL_MAX_MS: duration(5_000),
  POLL_TIMEOUT_MS: duration(10_000),
  POLL_BACKOFF_MAX_MS: duration(60_000),
  LEASE_MS: duration(60_000),
  NOT_FOUND_GRACE_MS: duration(120_000, 0),
  MAX_TRACKING_MS: duration(86_400_000),
  WORKER_CONCURRENCY: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 20_000 }),
  LOG_LEVEL: Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], { default: 'info' }),
});

/** Part of the contract, but not of this version: to ignore one of them would be to run other than asked for. */
const NOT_YET = [
  'ACCOUNTS_FILE',
  'API_KEYS',
  'POLYAI_AGENT_ID',
  'POLYAI_ENVIRONMENT',
  'POLYAI_MAX_REQUESTS_PER_SECOND',
];

export type Config = Static<typeof Environment>;

/** The configuration cannot be used; `problems` has one plain line each, naming the variable and never its value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'bad_configuration';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

const isUrl =
  (...protocols: string[]) =>
  (text: string) =>
    protocols.includes(URL.parse(text)?.protocol ?? '');

const validate = new Ajv({
  allErrors: true,
  coerceTypes: true,
  useDefaults: true,
  // All that is not ours is left out of the result: the environment holds other programs' secrets.
  removeAdditional: 'all',
  formats: {
    'http-url': isUrl('http:', 'https:'),
    'postgres-url': isUrl('postgres:', 'postgresql:'),
    'redis-url': isUrl('redis:', 'rediss:'),
    loopback: (host: string) => /^(localhost|::1|127(\.\d{1,3}){3})$/.test(host),
  },
}).compile<Config>(Environment);

/** What each format asks for, in words. */
const FORMATS: Record<string, string> = {
  'http-url': 'must be an http:// or https:// URL',
  'postgres-url': 'must be a postgres:// or postgresql:// URL',
  'redis-url': 'must be a redis:// or rediss:// URL',
  loopback: 'must be a loopback address: without API keys anyone who reaches the port could read all calls',
};

/** Which of polykeep's commands reads the configuration: they need different parts of it. */
export type Command = 'serve' | 'api' | 'worker' | 'migrate';

/** What each command cannot do without. Processes that share the work share Postgres and Redis. */
const REQUIRED: Record<Command, readonly (keyof Config)[]> = {
  serve: ['POLYAI_AUTH_TOKEN'],
  api: ['POLYAI_AUTH_TOKEN', 'DATABASE_URL', 'REDIS_URL'],
  worker: ['POLYAI_AUTH_TOKEN', 'DATABASE_URL', 'REDIS_URL'],
  migrate: ['DATABASE_URL'],
};

/** Reads the environment; an empty variable counts as unset. Throws `ConfigError` with all that is wrong. */
export function readConfig(
  command: Command,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Config {
  const candidate: unknown = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const problems = [
    ...NOT_YET.filter((name) => environment[name]).map((name) => `${name}: not supported in this version`),
    ...REQUIRED[command]
      .filter((name) => !environment[name])
      .map((name) => `${name}: required by the command ${command}`),
  ];
  if (!validate(candidate)) throw new ConfigError([...problems, ...(validate.errors ?? []).map(problemOf)]);
  if (candidate.POLL_INTERVAL_MIN_MS > candidate.POLL_INTERVAL_MAX_MS) {
    problems.push('POLL_INTERVAL_MIN_MS: must not be more than POLL_INTERVAL_MAX_MS');
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return candidate;
}

function problemOf(error: ErrorObject): string {
  const name = error.instancePath.slice(1);
  if (error.keyword === 'enum') return `${name}: must be ${error.params.allowedValues.join(' or ')}`;
  if (error.keyword === 'pattern') return `${name}: must be visible ASCII characters without spaces`;
  if (error.keyword === 'format') return `${name}: ${FORMATS[error.params.format]}`;
  return `${name}: ${error.message}`;
}
