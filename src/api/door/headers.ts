import type { FastifyHelmetOptions } from '@fastify/helmet';
import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Where `@fastify/helmet` looks for what is otherwise with a route. */
    helmet?: FastifyHelmetOptions;
  }
}

/**
 * Answers are data: nothing in them is to be run, framed, or read by another site. Headers that say something only to
 * browsers of the past, or only about pages, are left out: each costs on every answer. No HSTS: TLS ends at a proxy in
 * front, if at all, and it is for that to say whether the whole host keeps to https.
 */
export const ANSWER_HEADERS: FastifyHelmetOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] },
  },
  referrerPolicy: { policy: 'no-referrer' },
  xFrameOptions: { action: 'deny' },
  strictTransportSecurity: false,
  crossOriginOpenerPolicy: false,
  originAgentCluster: false,
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false,
};

/** Scripts, styles, pictures and requests of this origin alone; inline styles, but no inline scripts. */
const PAGE_POLICY = {
  useDefaults: false,
  directives: {
    'default-src': ["'none'"],
    'script-src': ["'self'"],
    'style-src': ["'self'", "'unsafe-inline'"],
    'img-src': ["'self'", 'data:'],
    'font-src': ["'self'", 'data:'],
    'connect-src': ["'self'"],
    'base-uri': ["'self'"],
    'form-action': ["'none'"],
    'frame-ancestors': ["'none'"],
  },
};

/**
 * Has all routes that are registered in this scope from now on answer with a policy under which a page can run. To be
 * called in a scope of their own, before the plugin that brings the pages is registered there.
 */
export function servePages(scope: FastifyInstance): void {
  scope.addHook('onRoute', (route) => {
    route.config = { ...route.config, helmet: { contentSecurityPolicy: PAGE_POLICY } };
  });
}
