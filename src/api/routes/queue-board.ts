import { createBullBoard } from '@bull-board/api';
import { FastifyAdapter } from '@bull-board/fastify';
import type { FastifyInstance } from 'fastify';
import type { CallQueue } from '../../queue/call-queue.ts';
import { servePages } from '../door/headers.ts';
import { handleError, ProblemError } from '../problem.ts';

export interface QueueBoardOptions {
  queue: Pick<CallQueue, 'board' | 'state'>;
}

/** BullMQ's jobs, to look at; nowhere where the queue is in the process. */
export function queueBoard(
  scope: FastifyInstance,
  { queue, prefix }: QueueBoardOptions & { prefix: string },
  done: () => void,
): void {
  if (queue.board === null) return done();
  const pages = new FastifyAdapter().setBasePath(prefix);
  createBullBoard({
    queues: [queue.board],
    serverAdapter: pages,
    options: { uiConfig: { boardTitle: 'polykeep', hideDocsLink: true } },
  });
  servePages(scope);
  scope.addHook('onRoute', (route) => {
    route.config = { ...route.config, access: 'board' };
    // The board's own would tell what went wrong inside, and not as a problem.
    route.errorHandler = handleError;
  });
  // BullMQ would wait for Redis for ever.
  scope.addHook('preHandler', async () => {
    if ((await queue.state()) === 'down') {
      throw new ProblemError(503, 'queue_unavailable', 'the queue is not available at the moment: try again');
    }
  });
  scope.register(pages.registerPlugin());
  done();
}
