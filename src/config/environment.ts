import { type Static, Type } from 'typebox';
import { APIS } from '../polyai/apis.ts';
import { VISIBLE_PATTERN } from './formats.ts';

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
  /** Whether OpenTelemetry is told of polls and of other work that no request asked for. */
  TRACE_BACKGROUND: Type.Boolean({ default: false }),
  LOG_LEVEL: Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], { default: 'info' }),
});

export type Environment = Static<typeof Environment>;
