import type { FastifyRequest } from 'fastify';

/**
 * The API key that a request brings, whether or not there is such; empty without one. For pages also as the password of
 * Basic authentication, whatever the user's name: a browser sends no other on its own.
 */
export function givenKey({ headers: { authorization = '' }, routeOptions }: FastifyRequest): string {
  const [, scheme = '', credentials = ''] = /^(bearer|basic) +(.+)$/i.exec(authorization) ?? [];
  if (scheme.toLowerCase() === 'bearer') return credentials.trim();
  if (routeOptions.config.access !== 'board') return '';
  const pair = Buffer.from(credentials, 'base64').toString('utf8');
  return pair.slice(pair.indexOf(':') + 1);
}
