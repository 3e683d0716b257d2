import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { statusOf } from '../readiness.ts';
import { HealthJson } from '../schemas.ts';

export interface HealthRoutesOptions {
  /** The state of each part, asked now. */
  readiness: () => Promise<HealthJson['parts']>;
}

/**
 * Ready means that the process keeps its promises, which it cannot without Postgres. Without Redis or with an
 * account whose polls bring nothing it still registers calls and answers: it stays ready, and says what is wrong.
 */
export const healthRoutes: FastifyPluginCallbackTypebox<HealthRoutesOptions> = (app, { readiness }, done) => {
  app.get(
    '/health/live',
    {
      config: { access: 'open', isProbe: true },
      schema: {
        operationId: 'getLiveness',
        summary: 'Whether the process answers',
        tags: ['Operations'],
        response: { 200: Type.Object({ status: Type.Literal('ok') }, { examples: [{ status: 'ok' }] }) },
      },
    },
    async () => ({
      status: 'ok' as const,
    }),
  );

  app.get(
    '/health/ready',
    {
      config: { access: 'open', isProbe: true },
      schema: {
        operationId: 'getReadiness',
        summary: 'Whether the process keeps its promises, and the state of each part',
        description: '503 where Postgres is away; then nothing can be promised.',
        tags: ['Operations'],
        response: { 200: HealthJson, 503: HealthJson },
      },
    },
    async (_request, reply) => {
      const parts = await readiness();
      const status = statusOf(parts);
      return reply.code(status === 'unavailable' ? 503 : 200).send({ status, parts });
    },
  );

  done();
};
