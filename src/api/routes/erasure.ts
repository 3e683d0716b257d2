import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Eraser } from '../../archive/write/eraser.ts';
import { problem } from '../problems.ts';
import { CallSid } from '../schemas.ts';

export interface ErasureRoutesOptions {
  eraser: Eraser;
  /** Has the call's follower stop. It never throws: a follower finds out by itself that its call is gone. */
  stopFollowing: (callSid: string) => void;
}

const Params = Type.Object({ callSid: CallSid });

export const erasureRoutes: FastifyPluginCallbackTypebox<ErasureRoutesOptions> = (app, options, done) => {
  const { eraser, stopFollowing } = options;

  app.delete(
    '/v1/calls/:callSid',
    {
      schema: {
        operationId: 'eraseCall',
        summary: 'Stop following a call, and erase it',
        tags: ['Calls'],
        params: Params,
        response: { 204: Type.Null({ description: 'The call and its transitions are gone.' }) },
        problems: ['call_not_found'],
      },
    },
    async (request, reply) => {
      const { callSid } = request.params;
      // The row goes first: while it is there, a next follower could take the call up again.
      const erased = await eraser.erase(callSid);
      if (!erased) throw problem.callNotFound();
      stopFollowing(callSid);
      return reply.code(204).send(null);
    },
  );

  done();
};
