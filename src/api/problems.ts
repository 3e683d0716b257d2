import { STATUS_CODES } from 'node:http';

/**
 * The catalogue of all that the API refuses: which codes there are, the HTTP status of each, and how its detail is
 * made. Routes throw from it, and `openapi.json` has its examples from it.
 */
const STATUSES = {
  invalid_request: 400,
  ambiguous_account: 400,
  unauthorized: 401,
  forbidden: 403,
  account_not_configured: 403,
  call_not_found: 404,
  route_not_found: 404,
  webhook_not_found: 404,
  delivery_not_found: 404,
  request_timeout: 408,
  webhooks_not_configured: 409,
  body_too_large: 413,
  uri_too_long: 414,
  unsupported_media_type: 415,
  too_many_requests: 429,
  headers_too_large: 431,
  internal_error: 500,
  polyai_unavailable: 502,
  archive_unavailable: 503,
  overloaded: 503,
  queue_unavailable: 503,
  stats_too_slow: 503,
  too_many_exports: 503,
  too_many_stats: 503,
} as const;

/** Node still has the name of 413 that RFC 9110 has given up. */
const TITLES: typeof STATUS_CODES = { ...STATUS_CODES, 413: 'Content Too Large' };

/** Programs go by these: none is ever renamed. */
export type ProblemCode = keyof typeof STATUSES;

export interface FieldError {
  /** Name of the field, parameter or header, e.g. `callSid`, `metadata.campaign`, `calls`. */
  field: string;
  detail: string;
}

/** An answer of RFC 9457; `code` is stable, `detail` (the message) is for people. */
export class ProblemError<Code extends ProblemCode = ProblemCode> extends Error {
  override readonly name = 'ProblemError';
  readonly code: Code;
  readonly statusCode: number;
  readonly errors: readonly FieldError[];

  /** What is wrong: as a sentence, or field by field, of which the sentence is made. */
  constructor(code: Code, wrong: string | readonly FieldError[], statusCode: number = STATUSES[code]) {
    super(typeof wrong === 'string' ? wrong : sentenceOf(wrong));
    this.code = code;
    this.statusCode = statusCode;
    this.errors = typeof wrong === 'string' ? [] : wrong;
  }

  get title(): string {
    return TITLES[this.statusCode] ?? 'Error';
  }
}

/** Makes each problem. */
export const problem = {
  invalidField: (field: string, detail: string) => problem.invalidFields([{ field, detail }]),
  invalidFields: (errors: readonly FieldError[]) => new ProblemError('invalid_request', errors),
  /** Of a body that cannot be parsed; `status` is that of the parser, 4xx. */
  unreadableBody: (detail: string, status: number) =>
    new ProblemError('invalid_request', [{ field: 'body', detail }], status),
  unreadableRequest: (detail: string) => new ProblemError('invalid_request', `request: ${detail}`),
  ambiguousAccount: (names: readonly string[]) =>
    new ProblemError('ambiguous_account', `X-Polykeep-Account: must name one of ${names.join(', ')}`),

  noKey: () => new ProblemError('unauthorized', 'authorization: an API key is needed, as "Bearer KEY"'),
  unknownKey: () => new ProblemError('unauthorized', 'authorization: this API key is none of API_KEYS'),
  /** In PolyAI's own words. */
  noPolyAiToken: () => new ProblemError('unauthorized', 'Invalid or missing token'),
  keyMayOnlyRead: (key: string) =>
    new ProblemError('forbidden', `authorization: the key ${key} may only read`),
  hostNotLocal: () =>
    new ProblemError('forbidden', 'host: without API_KEYS only localhost and its addresses are answered'),
  accountNotConfigured: (asked: string) =>
    new ProblemError('account_not_configured', `polykeep has no account for ${asked}`),

  callNotFound: () => new ProblemError('call_not_found', 'callSid: this call was never registered'),
  routeNotFound: (method: string, path: string) =>
    new ProblemError('route_not_found', `no route ${method} ${path}`),

  noQueueBoard: () =>
    new ProblemError(
      'route_not_found',
      'there are no pages of a queue: without REDIS_URL it is in the process',
    ),
  webhookNotFound: () =>
    new ProblemError('webhook_not_found', [{ field: 'id', detail: 'there is no such webhook' }]),
  deliveryNotFound: () =>
    new ProblemError('delivery_not_found', [
      { field: 'deliveryId', detail: 'the webhook has no such delivery, or no longer' },
    ]),
  webhooksNotConfigured: () =>
    new ProblemError(
      'webhooks_not_configured',
      'WEBHOOKS_SECRET is not set: where DATABASE_URL is, all processes need the same one to sign with',
    ),

  requestTimeout: () => new ProblemError('request_timeout', 'request: did not come in in time'),
  bodyTooLarge: () => new ProblemError('body_too_large', [{ field: 'body', detail: 'larger than 1 MB' }]),
  uriTooLong: () =>
    new ProblemError('uri_too_long', [{ field: 'url', detail: 'a part of the path is too long' }]),
  unsupportedMediaType: () =>
    new ProblemError('unsupported_media_type', [
      { field: 'content-type', detail: 'must be application/json' },
    ]),
  unsupportedEncoding: () =>
    new ProblemError('unsupported_media_type', [
      { field: 'content-encoding', detail: 'must be identity: bodies are read as they are' },
    ]),
  headersTooLarge: () => new ProblemError('headers_too_large', 'headers: larger than 16 KB'),
  /** `whose`: `the key NAME` or `this address`. */
  tooManyRequests: (maxPerSecond: number, whose: string) =>
    new ProblemError('too_many_requests', `more than ${maxPerSecond} requests in a second of ${whose}`),
  tooManyWrongKeys: () =>
    new ProblemError('too_many_requests', 'authorization: too many different keys that are none'),

  internalError: () => new ProblemError('internal_error', 'an error of the server'),
  /** `status` is 502 where nothing came of the request for sure, 504 where something may have. */
  polyAiUnavailable: (what: string, status: 502 | 504) =>
    new ProblemError('polyai_unavailable', what, status),
  archiveUnavailable: () =>
    new ProblemError('archive_unavailable', 'the archive is not available at the moment: try again'),
  overloaded: () => new ProblemError('overloaded', 'the process is overloaded at the moment: try again'),
  queueUnavailable: () =>
    new ProblemError('queue_unavailable', 'the queue is not available at the moment: try again'),
  statsTooSlow: () =>
    new ProblemError('stats_too_slow', 'the statistics took too long: ask for a shorter time'),
  tooManyExports: () =>
    new ProblemError('too_many_exports', 'as many exports run as may run at once: try again later'),
  tooManyStats: () =>
    new ProblemError('too_many_stats', 'as many statistics are made as may be made at once: try again later'),
};

/** The body as text: also for answers that are written before there is a request. */
export function problemBody({ statusCode, title, code, message, errors }: ProblemError): string {
  return JSON.stringify({
    type: 'about:blank',
    title,
    status: statusCode,
    detail: message,
    code,
    ...(errors.length > 0 ? { errors } : {}),
  });
}

function sentenceOf(errors: readonly FieldError[]): string {
  return errors.map(({ field, detail }) => `${field}: ${detail}`).join('; ');
}
