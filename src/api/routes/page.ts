import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PAGE_HEADERS } from '../door/headers.ts';
import type { Encoding, PageFile } from '../page-files.ts';

export interface PageRoutesOptions {
  /** The page's files; without any there is no page. */
  page: readonly PageFile[];
}

const FOR_GOOD = 'public, max-age=31536000, immutable';
const ASK_ANEW = 'no-cache';

/** The page and what it is made of. It tells of no call, and so is open to all: what it shows it asks the API for. */
export const pageRoutes: FastifyPluginCallbackTypebox<PageRoutesOptions> = (app, { page }, done) => {
  for (const file of page) {
    app.get(file.path, { config: { access: 'open', helmet: PAGE_HEADERS } }, async (request, reply) =>
      send(file, request, reply),
    );
  }
  done();
};

function send({ type, isHashed, etag, bodies }: PageFile, request: FastifyRequest, reply: FastifyReply) {
  reply
    .header('cache-control', isHashed ? FOR_GOOD : ASK_ANEW)
    .header('vary', 'accept-encoding')
    .header('etag', etag);
  if (request.headers['if-none-match'] === etag) return reply.code(304).send();
  const encoding = encodingFor(request.headers['accept-encoding'] ?? '');
  const compressed = encoding === null ? undefined : bodies.get(encoding);
  if (encoding !== null && compressed !== undefined) reply.header('content-encoding', encoding);
  return reply.type(type).send(compressed ?? bodies.get(''));
}

/** The better one of those that a client takes; `q=0` says that it does not. */
function encodingFor(accepted: string): Encoding | null {
  const taken = accepted
    .split(',')
    .map((part) => part.trim().toLowerCase())
    .filter((part) => !/;\s*q=0(\.0*)?$/.test(part))
    .map((part) => part.replace(/;.*/, '').trim());
  return (['br', 'gzip'] as const).find((encoding) => taken.includes(encoding)) ?? null;
}
