import type { FastifySchema } from 'fastify';
import type { PolyAiApi } from '../../polyai/api.ts';
import { PROBLEM_HEADERS } from '../openapi/openapi-problems.ts';
import { CallSid } from '../schemas.ts';

/**
 * The drop-in's routes as `openapi.json` shows them. PolyAI alone decides what its routes take and answer, so these
 * schemas are loose, and neither requests nor answers are checked by them.
 */
export function statusOperation(api: PolyAiApi): FastifySchema {
  const query = Object.keys(api.scope).filter((name) => !namesIn(api.statusRoute).includes(name));
  return {
    operationId: `${camelCase(api.name)}Status`,
    summary: `PolyAI’s last word on a call (${api.name})`,
    description:
      'From the archive, also when PolyAI has forgotten the call. A call that is not known here is asked of PolyAI, ' +
      'and followed from then on.',
    ...headOf(api, api.statusRoute, ACCOUNT_HEADER),
    querystring: { ...object(fieldsOf(api, query)), required: query },
    response: {
      200: {
        description: 'The very body that PolyAI gave.',
        headers: SEEN_HEADERS,
        content: json(api.examples.status),
      },
      ...refusals(api, { ...REFUSALS, 404: 'PolyAI does not know the call.', 502: 'PolyAI did not answer.' }),
    },
  };
}

export function triggerOperation(api: PolyAiApi, route: string): FastifySchema {
  const number = api.triggerRoutes.indexOf(route) + 1;
  return {
    operationId: `${camelCase(api.name)}Trigger${number === 1 ? '' : number}`,
    summary: `Have PolyAI place a call (${api.name})`,
    description: 'Passed on to PolyAI as it is; the call that it places is followed.',
    ...headOf(api, route, { ...ACCOUNT_HEADER, ...METADATA_HEADER }),
    body: { ...object(), description: 'As PolyAI documents it.', examples: [api.examples.trigger] },
    response: {
      200: {
        description: 'PolyAI’s answer, with the id of the call.',
        content: json(api.examples.triggered),
      },
      ...refusals(api, {
        ...REFUSALS,
        404: 'PolyAI has no such route.',
        413: 'The body is larger than 1 MB.',
        415: 'The content type is none.',
        502: 'PolyAI could not be reached: the call was not placed.',
        504: 'PolyAI did not answer: it is not known whether the call was placed.',
      }),
    },
  };
}

const ACCOUNT_HEADER = {
  'X-Polykeep-Account': {
    type: 'string',
    description: 'Which account is meant, where several have the same token or an API key opens all.',
  },
};

const METADATA_HEADER = {
  'X-Polykeep-Metadata': {
    type: 'string',
    enum: ['true', 'false'],
    default: 'false',
    description: 'Whether the `metadata` of the body is kept with the call.',
  },
};

const SEEN_HEADERS = {
  Age: { type: 'integer', minimum: 0, description: 'Seconds since then, where it is from the archive.' },
  'X-Polykeep-Observed-At': {
    type: 'string',
    format: 'date-time',
    description: 'When PolyAI gave it, where it is from the archive.',
  },
};

const REFUSALS = {
  400: 'PolyAI refuses the request, or it is not clear which account is meant.',
  401: 'There is neither the PolyAI token of an account nor an API key.',
  403: 'There is no account for what is asked, or the API key may only read.',
  429: 'PolyAI, or polykeep, is asked too often.',
  500: 'PolyAI, or polykeep, fails.',
  503: 'PolyAI, or polykeep, cannot answer at the moment.',
};

function headOf(api: PolyAiApi, route: string, headers: object): FastifySchema {
  return {
    tags: ['PolyAI'],
    security: [{ [api.name]: [] }, { apiKey: [] }],
    headers: object(headers),
    ...(route.includes('/:') ? { params: object(fieldsOf(api, namesIn(route))) } : {}),
  };
}

/** Parameters of a route in Fastify's notation. */
function namesIn(route: string): string[] {
  return [...route.matchAll(/:(\w+)/g)].map(([, name = '']) => name);
}

function fieldsOf({ scope }: PolyAiApi, names: readonly string[]): object {
  return Object.fromEntries(names.map((name) => [name, name in scope ? partOfScope(name) : CallSid]));

  function partOfScope(name: string): object {
    return { type: 'string', pattern: scope[name]?.source, description: `The account’s \`${name}\`.` };
  }
}

/** Errors in the envelope of PolyAI's API. */
function refusals(api: PolyAiApi, statuses: Readonly<Record<number, string>>): Record<string, object> {
  return Object.fromEntries(
    Object.entries(statuses).map(([status, description]) => [
      status,
      { description, headers: PROBLEM_HEADERS[Number(status)] ?? {}, content: json(api.examples.error) },
    ]),
  );
}

function json(example: unknown): object {
  return { 'application/json': { schema: object(), example } };
}

function object(properties: object = {}) {
  return { type: 'object', properties, additionalProperties: true };
}

function camelCase(name: string): string {
  return name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
