import { STATUS_CODES } from 'node:http';
import type { FastifySchema, RouteOptions } from 'fastify';
import { MetadataFilter } from '../filter.ts';
import { CallJson, TransitionJson } from '../schemas.ts';
import { ProblemJson, problemResponses, type ShownCode } from './openapi-problems.ts';

/** Schemas that `openapi.json` names and refers to. */
const NAMED = { Call: CallJson, Transition: TransitionJson, Problem: ProblemJson };

export const components: Record<string, object> = Object.fromEntries(
  Object.entries(NAMED).map(([name, schema]) => [name, partsWithNames(schema)]),
);

/**
 * A route's schema as `openapi.json` shows it: with the security and the problems that all routes of its kind share.
 * This is for the document alone, Fastify never sees it. A route without tags is not in the document.
 */
export function documentRoute(route: RouteOptions): FastifySchema {
  const { schema = {} } = route;
  if (schema.tags === undefined) return schema;
  const security = schema.security ?? securityOf(route);
  return {
    ...schema,
    ...(security === null ? {} : { security }),
    ...(isQuerySchema(schema.querystring) ? { querystring: query(schema.querystring) } : {}),
    response: withProblems(answers(schema.response), problemResponses(problemsOf(route))),
  };
}

/** null: as the document says for all routes, an API key. */
function securityOf({ config }: RouteOptions): NonNullable<FastifySchema['security']> | null {
  if (config?.access === 'open') return [];
  return config?.access === 'local' ? [{ apiKey: [] }, {}] : null;
}

function* problemsOf({ config, method, schema, url }: RouteOptions): Generator<ShownCode> {
  yield* schema?.problems ?? [];
  const { access } = config ?? {};
  const hasBody = method !== 'GET' && access !== 'drop-in';
  // A path that cannot be decoded reaches no route, and so gets a problem also where the drop-in would answer.
  if (schema?.querystring || hasBody || url.includes('/:')) yield 'invalid_request';
  if (url.includes('/:')) yield 'uri_too_long';
  if (hasBody) yield* ['body_too_large', 'unsupported_media_type'] as const;
  if (access === 'open' || access === 'drop-in') return;
  yield* ['unauthorized', 'forbidden', 'internal_error'] as const;
  if (access !== 'local') yield* ['archive_unavailable', 'too_many_requests', 'overloaded'] as const;
}

interface Answer {
  description?: unknown;
  content?: unknown;
}

/** Shows both kinds of content of a status that a route answers and that is a problem's too: readiness' 503. */
function withProblems(
  answers: Record<string, Answer>,
  problems: Record<string, Answer>,
): Record<string, Answer> {
  const both = Object.entries(problems)
    .filter(([status]) => status in answers)
    .map(([status, { content }]) => [
      status,
      { ...answers[status], content: Object.assign({}, answers[status]?.content, content) },
    ]);
  return { ...answers, ...problems, ...Object.fromEntries(both) };
}

/** The answers of a route, each as OpenAPI has it. */
function answers(responses: unknown): Record<string, Answer> {
  return Object.fromEntries(
    Object.entries(responses ?? {}).map(([status, schema]) => [status, answer(status, schema)]),
  );
}

/** A route gives the schema alone of an answer in JSON, and others as OpenAPI has them: with their `content`. */
function answer(status: string, schema: object): Answer {
  const description =
    'description' in schema ? schema.description : (STATUS_CODES[status] ?? 'Another answer');
  if ('type' in schema && schema.type === 'null') return { description, ...schema };
  if ('content' in schema) return { description, ...schema, content: withNames(schema.content) };
  const [example] = 'examples' in schema && Array.isArray(schema.examples) ? schema.examples : [];
  return {
    description,
    content: { 'application/json': { schema: withNames(schema), ...(example ? { example } : {}) } },
  };
}

/** A schema in which those that have a name are replaced by references. */
export function withNames(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withNames);
  if (typeof schema !== 'object' || schema === null) return schema;
  const name = Object.entries(NAMED).find(([, named]) => named === schema)?.[0];
  if (name !== undefined) return { $ref: `#/components/schemas/${name}` };
  return partsWithNames(schema);
}

/** The schema without its examples: an answer shows them beside its schema. */
function partsWithNames(schema: object): object {
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key]) => key !== 'examples')
      .map(([key, value]) => [key, withNames(value)]),
  );
}

interface QuerySchema {
  properties: Readonly<Record<string, object>>;
  required?: readonly string[];
}

function isQuerySchema(schema: unknown): schema is QuerySchema {
  return typeof schema === 'object' && schema !== null && 'properties' in schema;
}

/** A query in which a field with a default is not required, though Fastify's types need it to be. */
function query(schema: QuerySchema): QuerySchema {
  const { properties, required = [] } = schema;
  return {
    ...schema,
    required: required.filter((name) => !('default' in (properties[name] ?? {}))),
    properties: {
      ...properties,
      ...('patternProperties' in schema ? { metadata: MetadataFilter } : {}),
    },
  };
}
