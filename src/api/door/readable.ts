import type { FastifyInstance, FastifyRequest } from 'fastify';
import { problem } from '../problems.ts';

/** A time in a query of which the `+` was not written as %2B: in a form, which a query is, it stands for a space. */
const TIME_WITH_SPACE = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?) (\d\d:\d\d)$/i;

/**
 * Takes requests as their senders mean them, before they are held against a schema: times with an unencoded `+`, and a
 * JSON type where there is no body, as many clients send with each DELETE. What is compressed is refused with
 * `unsupported_media_type`: it would be read as JSON that is none.
 */
export function makeReadable(app: FastifyInstance): void {
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, parsed) => {
    if (body === '' && !takesBody(request)) return parsed(null, undefined);
    return parseJson(request, body, parsed);
  });
  app.addHook('preParsing', async (request, reply) => {
    const { 'content-encoding': encoding = 'identity' } = request.headers;
    const isElsewhere = request.routeOptions.config.access === 'drop-in' || !takesBody(request);
    if (isElsewhere || encoding.toLowerCase() === 'identity') return;
    reply.header('accept-encoding', 'identity');
    throw problem.unsupportedEncoding();
  });
  app.addHook('preValidation', async ({ query, routeOptions }) => {
    if (!isRecord(query)) return;
    const { properties } = schemaOf(routeOptions.schema?.querystring);
    for (const [name, value] of Object.entries(query)) {
      if (typeof value !== 'string' || schemaOf(properties?.[name]).format !== 'date-time') continue;
      query[name] = value.replace(TIME_WITH_SPACE, '$1+$2');
    }
  });
}

function takesBody({ routeOptions }: FastifyRequest): boolean {
  return routeOptions.schema?.body !== undefined;
}

/** What is looked at of a JSON Schema. */
function schemaOf(schema: unknown): { format?: unknown; properties?: Record<string, unknown> } {
  if (!isRecord(schema)) return {};
  const { format, properties } = schema;
  return isRecord(properties) ? { format, properties } : { format };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
