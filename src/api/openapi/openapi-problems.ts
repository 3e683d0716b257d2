import { Type } from 'typebox';
import { type ProblemCode, type ProblemError, problem, problemBody } from '../problems.ts';

/** One of each problem that a route shows in `openapi.json`, made as the routes make it. */
const EXAMPLES = {
  invalid_request: problem.invalidField('limit', 'must be <= 1000'),
  unauthorized: problem.noKey(),
  forbidden: problem.keyMayOnlyRead('bi'),
  call_not_found: problem.callNotFound(),
  webhook_not_found: problem.webhookNotFound(),
  delivery_not_found: problem.deliveryNotFound(),
  webhooks_not_configured: problem.webhooksNotConfigured(),
  body_too_large: problem.bodyTooLarge(),
  uri_too_long: problem.uriTooLong(),
  unsupported_media_type: problem.unsupportedMediaType(),
  too_many_requests: problem.tooManyRequests(100, 'the key bi'),
  internal_error: problem.internalError(),
  archive_unavailable: problem.archiveUnavailable(),
  overloaded: problem.overloaded(),
  too_many_exports: problem.tooManyExports(),
  too_many_stats: problem.tooManyStats(),
  stats_too_slow: problem.statsTooSlow(),
} satisfies { [Code in ProblemCode]?: ProblemError<Code> };

export type ShownCode = keyof typeof EXAMPLES;

declare module 'fastify' {
  interface FastifySchema {
    /** The problems that a route can answer with, beside those of every route of its kind. For `openapi.json` alone. */
    problems?: readonly ShownCode[];
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
  Object.values(EXAMPLES).map((example) => [example.code, { value: JSON.parse(problemBody(example)) }]),
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
export function problemResponses(codes: Iterable<ShownCode>): Record<string, object> {
  const byStatus = Map.groupBy(
    [...new Set(codes)].map((code): ProblemError => EXAMPLES[code]),
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
