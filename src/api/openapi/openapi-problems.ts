import { Type } from 'typebox';
import { invalidField, ProblemError, problemBody } from '../problem.ts';

/** Every problem that a route can answer with, as an example of it. */
const PROBLEMS = {
  invalid_request: invalidField('limit', 'must be <= 1000'),
  unauthorized: new ProblemError(401, 'unauthorized', 'authorization: an API key is needed, as "Bearer KEY"'),
  forbidden: new ProblemError(403, 'forbidden', 'authorization: the key bi may only read'),
  call_not_found: new ProblemError(404, 'call_not_found', 'callSid: this call was never registered'),
  body_too_large: new ProblemError(413, 'body_too_large', 'body: larger than 1 MB', [
    { field: 'body', detail: 'larger than 1 MB' },
  ]),
  uri_too_long: new ProblemError(414, 'uri_too_long', 'url: a part of the path is too long', [
    { field: 'url', detail: 'a part of the path is too long' },
  ]),
  unsupported_media_type: new ProblemError(
    415,
    'unsupported_media_type',
    'content-type: must be application/json',
    [{ field: 'content-type', detail: 'must be application/json' }],
  ),
  too_many_requests: new ProblemError(
    429,
    'too_many_requests',
    'more than 100 requests in a second of the key bi',
  ),
  internal_error: new ProblemError(500, 'internal_error', 'an error of the server'),
  archive_unavailable: new ProblemError(
    503,
    'archive_unavailable',
    'the archive is not available at the moment: try again',
  ),
  overloaded: new ProblemError(503, 'overloaded', 'the process is overloaded at the moment: try again'),
  too_many_exports: new ProblemError(503, 'too_many_exports', 'as many exports run as may: try again later'),
  too_many_stats: new ProblemError(
    503,
    'too_many_stats',
    'as many statistics are made as may at a time: try again later',
  ),
  stats_too_slow: new ProblemError(
    503,
    'stats_too_slow',
    'the statistics took too long: ask for a shorter time',
  ),
};

export type ProblemCode = keyof typeof PROBLEMS;

declare module 'fastify' {
  interface FastifySchema {
    /** What a route can answer with beside what every one of its kind can. For `openapi.json` alone. */
    problems?: readonly ProblemCode[];
  }
}

export const ProblemJson = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'For people; it may change.' }),
    code: Type.String({ description: 'For programs: it stays.' }),
    errors: Type.Optional(
      Type.Array(
        Type.Object(
          {
            field: Type.String({ description: 'A field, parameter or header.' }),
            detail: Type.String(),
          },
          { additionalProperties: false },
        ),
        { description: 'What is wrong with each.' },
      ),
    ),
  },
  { description: 'What went wrong (RFC 9457).', additionalProperties: false },
);

export const problemExamples: Record<string, object> = Object.fromEntries(
  Object.values(PROBLEMS).map((problem) => [problem.code, { value: JSON.parse(problemBody(problem)) }]),
);

const RETRY_AFTER = {
  'Retry-After': { type: 'integer', minimum: 0, description: 'Seconds after which to ask again.' },
};

/** Headers that come with an error of this status. */
export const PROBLEM_HEADERS: Readonly<Record<number, object>> = {
  401: { 'WWW-Authenticate': { type: 'string', examples: ['Bearer'] } },
  429: RETRY_AFTER,
  503: RETRY_AFTER,
};

/** The answers of these problems in the form of `@fastify/swagger`, by their status. */
export function problemResponses(codes: Iterable<ProblemCode>): Record<string, object> {
  const byStatus = Map.groupBy(
    [...new Set(codes)].map((code) => PROBLEMS[code]),
    ({ statusCode }) => statusCode,
  );
  return Object.fromEntries([...byStatus].map(([status, problems]) => [status, response(status, problems)]));
}

function response(status: number, problems: readonly ProblemError[]): object {
  return {
    description: problems.map(({ code }) => `\`${code}\``).join(', '),
    headers: PROBLEM_HEADERS[status] ?? {},
    content: {
      'application/problem+json': {
        schema: { $ref: '#/components/schemas/Problem' },
        examples: Object.fromEntries(
          problems.map(({ code }) => [code, { $ref: `#/components/examples/${code}` }]),
        ),
      },
    },
  };
}
