import type { FastifyRequest } from 'fastify';

/**
 * The API key that a request brings, which may be none of ours; empty where it brings none. For pages it may also be
 * the password of Basic authentication, with any user name: a browser can send nothing else by itself.
 */
export function givenKey({ headers: { authorization = '' }, routeOptions }: FastifyRequest): string {
  const [, scheme = '', credentials = ''] = /^(bearer|basic) +(.+)$/i.exec(authorization) ?? [];
  if (scheme.toLowerCase() === 'bearer') return credentials.trim();
  if (routeOptions.config.access !== 'board') return '';
  const pair = Buffer.from(credentials, 'base64').toString('utf8');
  return pair.slice(pair.indexOf(':') + 1);
}
