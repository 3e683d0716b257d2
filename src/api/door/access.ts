import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { problem } from '../problems.ts';
import type { ApiKey } from './api-keys.ts';
import { givenKey } from './given-key.ts';
import { createRequestLimits } from './request-limits.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Who may call a route: anyone (`open`), a caller on this machine or a key (`local`), whom the route itself lets in
     * (`drop-in`), or a `write` key, also from a browser (`board`). Without it, a key: `read` for GET, `write` for the
     * rest.
     */
    access?: 'open' | 'local' | 'drop-in' | 'board';
  }
  interface FastifyRequest {
    /** The key that the caller gave, where there is such. */
    apiKey: ApiKey | null;
  }
}

/**
 * Finds out whose a request is, counts it, and lets it in or not; all before its body is read. Without keys every
 * caller is let in, uncounted: then only this machine can reach the API. `app` has `@fastify/rate-limit`.
 */
export function guard(
  app: FastifyInstance,
  { keys, maxPerSecond }: { keys: readonly ApiKey[]; maxPerSecond: number },
): void {
  const limits = createRequestLimits(app, { keys, maxPerSecond });
  app.decorateRequest('apiKey', null);
  app.addHook('onRequest', async (request, reply) => {
    const { access, isProbe = false } = request.routeOptions.config;
    const isFree = access === 'open' || (access === 'local' && isLocal(request.ip));
    if (!isFree && keys.length > 0) request.apiKey = keyOf(request, reply);
    if (!isProbe && keys.length > 0) await limits.take(request, reply);
    if (isFree) return;
    if (keys.length === 0) checkHost(request);
    else if (access !== 'drop-in') checkKey(request, reply);
  });

  function keyOf(request: FastifyRequest, reply: FastifyReply): ApiKey | null {
    const given = givenKey(request);
    return given === '' ? null : limits.tryKey(given, request, reply);
  }
}

function checkKey({ apiKey, method, routeOptions }: FastifyRequest, reply: FastifyReply): void {
  const isBoard = routeOptions.config.access === 'board';
  if (apiKey === null) {
    reply.header('www-authenticate', isBoard ? 'Basic realm="polykeep: any name, an API key"' : 'Bearer');
    throw problem.noKey();
  }
  const isReading = method === 'GET' || method === 'HEAD';
  if ((isBoard || !isReading) && apiKey.scope === 'read') {
    throw problem.keyMayOnlyRead(apiKey.name);
  }
}

/**
 * A page of anybody's whose name is made to lead to this machine could read everything here through the browser of
 * whoever sits at it; that name is in `Host`.
 */
function checkHost({ hostname }: FastifyRequest): void {
  if (hostname === '' || LOCAL_NAME.test(hostname)) return;
  throw problem.hostNotLocal();
}

const LOCAL_NAME = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i;

function isLocal(ip: string): boolean {
  return /^(::1|(::ffff:)?127\.)/.test(ip);
}
