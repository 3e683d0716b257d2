import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { ArchiveUnavailableError } from '../archive/errors.ts';
import { ProblemError, problem, problemBody } from './problems.ts';
import { fieldErrors } from './validation.ts';

export const RETRY_AFTER_SECONDS = 5;

/** Turns whatever a route threw into a problem. What went wrong inside is logged, never told. */
export function handleError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const found = problemOf(error);
  if (found.statusCode === 503) reply.header('retry-after', RETRY_AFTER_SECONDS);
  if (found.statusCode >= 500 && found !== error) {
    // That Postgres is away is told once, by its health, and not with each request.
    const level = found.code === 'archive_unavailable' ? 'debug' : 'error';
    request.log[level]({ err: error, method: request.method, path: pathOf(request) }, 'request failed');
  }
  return sendProblem(reply, found);
}

export function sendProblem(reply: FastifyReply, given: ProblemError): FastifyReply {
  return reply.code(given.statusCode).type('application/problem+json').send(problemBody(given));
}

/** The path without its query, which may hold what no log should: a phone number, or a key sent in the wrong place. */
export function pathOf({ url }: FastifyRequest): string {
  return url.split('?', 1)[0] ?? '';
}

function problemOf(error: FastifyError): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof ArchiveUnavailableError) return problem.archiveUnavailable();
  if (error.validation !== undefined) {
    return problem.invalidFields(fieldErrors(error.validation, error.validationContext ?? 'body'));
  }
  switch (error.code) {
    // What takes long enough waits for Postgres.
    case 'FST_ERR_HANDLER_TIMEOUT':
      return problem.archiveUnavailable();
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return problem.bodyTooLarge();
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return problem.unsupportedMediaType();
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return problem.uriTooLong();
    case 'FST_ERR_BAD_URL':
      return problem.invalidField('url', 'is not percent-encoded UTF-8');
  }
  const status = error.statusCode ?? 500;
  if (status < 400 || status >= 500) return problem.internalError();
  // What is left of the client's errors is a body that cannot be parsed.
  return problem.unreadableBody(error.message, status);
}
