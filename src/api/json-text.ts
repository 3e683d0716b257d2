import type { FastifyReply } from 'fastify';
import type { TSchema } from 'typebox';

/**
 * Answers whose JSON Postgres has written: they go to the client as they are.
 */

/** The schema of such an answer. Only OpenAPI and the tests go by it, and so its type says nothing to TypeScript. */
export function writtenAs(schema: TSchema): object {
  return schema;
}

/** Fastify writes no text anew that comes as JSON. */
export function sendJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(text);
}
