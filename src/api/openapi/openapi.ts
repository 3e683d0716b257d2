import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import manifest from '../../../package.json' with { type: 'json' };
import { APIS } from '../../polyai/apis.ts';
import { servePages } from '../door/headers.ts';
import { components, documentRoute } from './openapi-operation.ts';
import { problemExamples } from './openapi-problems.ts';
import { webhookOperations } from './openapi-webhooks.ts';

const DESCRIPTION = `${manifest.description}

Times are ISO 8601 in UTC. Errors are \`application/problem+json\` (RFC 9457) with a \`code\` that stays; PolyAI's own
routes answer in PolyAI's words. What is no HTTP, or too slow or too large to be read, gets 400, 408 or 431 before there
is a request.`;

const TAGS = [
  { name: 'Calls', description: 'Registering calls, and reading what became of them.' },
  { name: 'Feed', description: 'Every transition exactly once, for those who keep a copy.' },
  {
    name: 'Webhooks',
    description: 'Endpoints that are told of what happens to calls, by Standard Webhooks.',
  },
  { name: 'Reports', description: 'Many calls at once.' },
  { name: 'PolyAI', description: "PolyAI's own routes: a client changes nothing but its base URL." },
  { name: 'Operations', description: 'How the process is.' },
];

const securitySchemes = {
  apiKey: {
    type: 'http',
    scheme: 'bearer',
    description: 'A key of `API_KEYS`; `read` for GET, `write` for all.',
  },
  ...Object.fromEntries(
    APIS.map(({ name, tokenHeader }) => [
      name,
      { type: 'apiKey', in: 'header', name: tokenHeader, description: "The account's PolyAI token." },
    ]),
  ),
} as const;

/**
 * Describes each route that is registered from now on and has tags: as `/openapi.json`, and for people as `/docs`.
 */
export function describeRoutes(app: FastifyInstance): void {
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'polykeep',
        version: manifest.version,
        description: DESCRIPTION,
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/' }],
      tags: TAGS,
      security: [{ apiKey: [] }],
      webhooks: webhookOperations,
      components: { schemas: components, examples: problemExamples, securitySchemes },
    },
    hideUntagged: true,
    transform: ({ route, url }) => ({ schema: documentRoute(route), url }),
  });
  app.register(documentRoutes);
}

/** These routes are open to all: a browser has no key to give, and they tell nothing of any call. */
async function documentRoutes(app: FastifyInstance): Promise<void> {
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, access: 'open' };
  });
  servePages(app);
  let text: string | undefined;
  app.get('/openapi.json', async (_request, reply) => {
    text ??= `${JSON.stringify(app.swagger(), null, 2)}\n`;
    return reply.type('application/json').send(text);
  });
  app.register(swaggerUi, {
    routePrefix: '/docs',
    theme: { title: 'polykeep' },
    // Other layouts have a bar that asks for the address of another document.
    uiConfig: { layout: 'BaseLayout', displayRequestDuration: true },
  });
}
