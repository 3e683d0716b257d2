import type { Queue } from 'bullmq';
import type { FastifyInstance } from 'fastify';
import type { CallQueue } from '../../queue/call-queue.ts';
import { servePages } from '../door/headers.ts';
import { handleError } from '../error-handler.ts';
import { problem } from '../problems.ts';

/** Redis may fall silent after it was asked whether it is up. */
const ANSWER_WITHIN_MS = 10_000;

export interface QueueBoardOptions {
  queue: Pick<CallQueue, 'state'>;
  /** BullMQ's jobs; null where the queue is in the process. */
  jobs: Queue | null;
}

/** Pages that show BullMQ's jobs; where the queue is in the process they are not loaded, and the answer says so. */
export async function queueBoard(
  scope: FastifyInstance,
  { queue, jobs, prefix }: QueueBoardOptions & { prefix: string },
): Promise<void> {
  if (jobs === null) return sayThereIsNone(scope);
  const [{ createBullBoard }, { BullMQAdapter }, { FastifyAdapter }] = await Promise.all([
    import('@bull-board/api'),
    import('@bull-board/api/bullMQAdapter'),
    import('@bull-board/fastify'),
  ]);
  const pages = new FastifyAdapter().setBasePath(prefix);
  createBullBoard({
    // The sweeper undoes what is changed by hand, which would only puzzle people.
    queues: [new BullMQAdapter(jobs, { readOnlyMode: true })],
    serverAdapter: pages,
    options: { uiConfig: { boardTitle: 'polykeep', hideDocsLink: true } },
  });
  servePages(scope);
  scope.addHook('onRoute', (route) => {
    route.config = { ...route.config, access: 'board' };
    // The board's own handler tells what went wrong inside, and not as a problem.
    route.errorHandler = (error, request, reply) =>
      handleError(
        error.code === 'FST_ERR_HANDLER_TIMEOUT' ? problem.queueUnavailable() : error,
        request,
        reply,
      );
    route.handlerTimeout = ANSWER_WITHIN_MS;
  });
  // Where Redis is away BullMQ waits for it without end.
  scope.addHook('preHandler', async () => {
    if ((await queue.state()) === 'down') throw problem.queueUnavailable();
  });
  scope.register(pages.registerPlugin());
}

function sayThereIsNone(scope: FastifyInstance): void {
  for (const url of ['/', '/*']) {
    scope.get(url, { config: { access: 'board' } }, async () => {
      throw problem.noQueueBoard();
    });
  }
}
