import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { problem } from '../problems.ts';
import { type ApiKey, findKey } from './api-keys.ts';
import type { CountRefusal } from './count-refusal.ts';
import { givenKey } from './given-key.ts';
import { createRequestLimits } from './request-limits.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Who may call a route. `open`: anyone. `local`: a caller on this machine, or one with a key. `drop-in`: the route
     * itself decides. `board`: one with a `write` key, also from a browser. Left out: one with a key, `read` for GET
     * and `write` for the rest.
     */
    access?: 'open' | 'local' | 'drop-in' | 'board';
    /** Of a route that also takes a PolyAI token: the one that a request brings, or null. */
    tokenOf?: (request: FastifyRequest) => GivenToken | null;
  }
  interface FastifyRequest {
    /** The API key that the caller gave; null without one, and for a key that is none. */
    apiKey: ApiKey | null;
  }
}

export interface GivenToken {
  token: string;
  /** Whose it is, as `the token of ACCOUNT`; null where it is nobody's. */
  holder: string | null;
}

interface GuardOptions {
  keys: readonly ApiKey[];
  /** Requests of one key, or of one address without a key. */
  maxPerSecond: number;
  count: CountRefusal;
}

/**
 * Finds out who makes a request, counts it, and lets it in or refuses it, all before its body is read. Without keys
 * every caller is let in and none is counted: then only this machine can reach the API. `app` must have
 * `@fastify/rate-limit`. Requests are refused with `unauthorized`, `forbidden` or `too_many_requests`.
 *
 * A right key or token is let in whatever else comes from its address: many callers may share one, as a proxy's.
 */
export function guard(app: FastifyInstance, { keys, maxPerSecond, count }: GuardOptions): void {
  const limits = createRequestLimits(app, { maxPerSecond, count });
  app.decorateRequest('apiKey', null);
  app.addHook('onRequest', async (request, reply) => {
    const { access, isProbe = false } = request.routeOptions.config;
    const isFree = access === 'open' || (access === 'local' && isLocal(request.ip));
    const isAsked = !isFree && keys.length > 0;
    const wrong = isAsked ? identify(request) : '';
    if (wrong !== '') await limits.wrongKey(request, reply, wrong);
    if (!isProbe && keys.length > 0) await limits.take(request, reply);
    if (isFree) return;
    if (keys.length === 0) checkHost(request);
    else if (access !== 'drop-in') checkKey(request, reply);
  });

  /** Writes on the request who makes it. Returns the key or token that is none; empty where there is no such. */
  function identify(request: FastifyRequest): string {
    const key = givenKey(request);
    const token = request.routeOptions.config.tokenOf?.(request) ?? null;
    request.apiKey = key === '' ? null : findKey(keys, key);
    request.holder = request.apiKey === null ? (token?.holder ?? null) : `the key ${request.apiKey.name}`;
    return request.holder === null ? key || (token?.token ?? '') : '';
  }
}

function checkKey(request: FastifyRequest, reply: FastifyReply): void {
  const { apiKey, method, routeOptions } = request;
  const isBoard = routeOptions.config.access === 'board';
  if (apiKey === null) {
    reply.header('www-authenticate', isBoard ? 'Basic realm="polykeep: any name, an API key"' : 'Bearer');
    throw givenKey(request) === '' ? problem.noKey() : problem.unknownKey();
  }
  const isReading = method === 'GET' || method === 'HEAD';
  if ((isBoard || !isReading) && apiKey.scope === 'read') {
    throw problem.keyMayOnlyRead(apiKey.name);
  }
}

/**
 * Refuses a page from elsewhere whose host name was made to lead to this machine (DNS rebinding): it could read
 * everything here through the browser of whoever sits at the machine. `Host` still has that name.
 */
function checkHost({ hostname }: FastifyRequest): void {
  if (hostname === '' || LOCAL_NAME.test(hostname)) return;
  throw problem.hostNotLocal();
}

const LOCAL_NAME = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i;

function isLocal(ip: string): boolean {
  return /^(::1|(::ffff:)?127\.)/.test(ip);
}
