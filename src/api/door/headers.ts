import type { FastifyHelmetOptions } from '@fastify/helmet';
import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Options of `@fastify/helmet` for this route alone. */
    helmet?: FastifyHelmetOptions;
  }
}

/**
 * Answers are data: no browser may run or frame them, and no other site may read them. Headers for old browsers or for
 * pages alone are left out, since each costs on every answer. There is no HSTS: TLS ends at a proxy, if at all, and that
 * proxy decides whether the whole host keeps to https.
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

/**
 * Of our own page: scripts and styles of this origin alone, none inline, and no text that a script could make into
 * HTML (`trusted-types`): what a call's metadata holds cannot run, whatever it is.
 */
export const PAGE_HEADERS: FastifyHelmetOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      'default-src': ["'none'"],
      'script-src': ["'self'"],
      'style-src': ["'self'"],
      'img-src': ["'self'"],
      'connect-src': ["'self'"],
      'base-uri': ["'none'"],
      'form-action': ["'none'"],
      'frame-ancestors': ["'none'"],
      'require-trusted-types-for': ["'script'"],
      'trusted-types': ["'none'"],
    },
  },
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
 * Lets pages run: all routes that are registered in this scope from now on answer with a policy for pages. Call it in a
 * scope that has only pages, before you register the plugin that brings them.
 */
export function servePages(scope: FastifyInstance): void {
  scope.addHook('onRoute', (route) => {
    route.config = { ...route.config, helmet: { contentSecurityPolicy: PAGE_POLICY } };
  });
}
