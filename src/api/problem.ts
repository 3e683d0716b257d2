import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { ArchiveUnavailableError } from '../archive/errors.ts';

export const RETRY_AFTER_SECONDS = 5;

export interface FieldError {
  /** Name of the field, parameter or header, e.g. `callSid`, `metadata.campaign`, `calls`. */
  field: string;
  detail: string;
}

/** An answer of RFC 9457; `code` is stable, `detail` is for people. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly statusCode: number;
  readonly code: string;
  readonly errors: readonly FieldError[];

  constructor(statusCode: number, code: string, detail: string, errors: readonly FieldError[] = []) {
    super(detail);
    this.statusCode = statusCode;
    this.code = code;
    this.errors = errors;
  }

  get title(): string {
    return TITLES[this.statusCode] ?? 'Error';
  }
}

export function invalidField(field: string, detail: string): ProblemError {
  return new ProblemError(400, 'invalid_request', `${field}: ${detail}`, [{ field, detail }]);
}

const TITLES: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  408: 'Request Timeout',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

export function sendProblem(reply: FastifyReply, problem: ProblemError): FastifyReply {
  return reply.code(problem.statusCode).type('application/problem+json').send(problemBody(problem));
}

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

/** A query may hold what no log should: a number of somebody's, or a key that was to be a header. */
export function pathOf({ url }: FastifyRequest): string {
  return url.split('?', 1)[0] ?? '';
}

/** Turns whatever a route threw into a problem. What went wrong inside is logged, never told. */
export function handleError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = problemOf(error);
  if (problem.statusCode === 503) reply.header('retry-after', RETRY_AFTER_SECONDS);
  if (problem.statusCode >= 500 && problem !== error)
    request.log.error({ err: error, method: request.method, path: pathOf(request) }, 'request failed');
  return sendProblem(reply, problem);
}

function problemOf(error: FastifyError): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof ArchiveUnavailableError) {
    return new ProblemError(503, error.code, 'the archive is not available at the moment: try again');
  }
  if (error.validation !== undefined) return validationProblem(error);
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new ProblemError(413, 'body_too_large', 'body: larger than 1 MB', [
        { field: 'body', detail: 'larger than 1 MB' },
      ]);
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new ProblemError(415, 'unsupported_media_type', 'content-type: must be application/json', [
        { field: 'content-type', detail: 'must be application/json' },
      ]);
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new ProblemError(414, 'uri_too_long', 'url: a part of the path is too long', [
        { field: 'url', detail: 'a part of the path is too long' },
      ]);
    case 'FST_ERR_BAD_URL':
      return invalidField('url', 'is not percent-encoded UTF-8');
  }
  const status = error.statusCode ?? 500;
  if (status < 400 || status >= 500) return new ProblemError(500, 'internal_error', 'an error of the server');
  // What is left of the client's errors is a body that cannot be parsed.
  return new ProblemError(status, 'invalid_request', `body: ${error.message}`, [
    { field: 'body', detail: error.message },
  ]);
}

function validationProblem({ validation, validationContext }: FastifyError): ProblemError {
  const errors = (validation ?? []).map(({ instancePath, params, message }) => {
    const path = instancePath.split('/').slice(1).map(unescapePointer);
    const named = params.missingProperty ?? params.additionalProperty ?? params.propertyName;
    if (typeof named === 'string') path.push(named);
    const field = path.join('.') || (validationContext ?? 'body');
    const detail = params.additionalProperty === undefined ? (message ?? 'is not valid') : 'is not known';
    return { field, detail };
  });
  const detail = errors.map((error) => `${error.field}: ${error.detail}`).join('; ');
  return new ProblemError(400, 'invalid_request', detail, errors);
}

function unescapePointer(segment: string): string {
  return segment.replaceAll('~1', '/').replaceAll('~0', '~');
}
