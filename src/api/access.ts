import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type ApiKey, findKey } from '../api-keys.ts';
import { ProblemError } from './problem.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Who may call a route: anyone (`open`), a caller on this machine or a key (`local`), or whom the route itself
     * lets in (`front`). Without it, a key: `read` for GET, `write` for the rest.
     */
    access?: 'open' | 'local' | 'front';
  }
  interface FastifyRequest {
    /** The key that the caller gave, where there is such. */
    apiKey: ApiKey | null;
  }
}

/** Without keys every caller is let in: then only this machine can reach the API. */
export function guard(app: FastifyInstance, keys: readonly ApiKey[]): void {
  app.decorateRequest('apiKey', null);
  app.addHook('onRequest', async (request, reply) => {
    if (keys.length === 0) return;
    request.apiKey = findKey(keys, bearerOf(request));
    const { access } = request.routeOptions.config;
    if (access === 'open' || access === 'front') return;
    if (access === 'local' && isLocal(request.ip)) return;
    if (request.apiKey === null) {
      reply.header('www-authenticate', 'Bearer');
      throw new ProblemError(401, 'unauthorized', 'authorization: an API key is needed, as "Bearer KEY"');
    }
    const isReading = request.method === 'GET' || request.method === 'HEAD';
    if (!isReading && request.apiKey.scope === 'read') {
      throw new ProblemError(403, 'forbidden', `authorization: the key ${request.apiKey.name} may only read`);
    }
  });
}

function bearerOf({ headers }: FastifyRequest): string {
  return /^bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1]?.trim() ?? '';
}

function isLocal(ip: string): boolean {
  return /^(::1|(::ffff:)?127\.)/.test(ip);
}
