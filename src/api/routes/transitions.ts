import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { FeedPositionAheadError } from '../../archive/errors.ts';
import { FEED_START, type FeedPosition, feedCursor } from '../../archive/read/cursors.ts';
import type { Feed, FeedPage, FeedQuery } from '../../archive/read/feed.ts';
import { sendJson, writtenAs } from '../json-text.ts';
import { problem } from '../problems.ts';
import { FeedPageJson, FeedQuery as FeedQuerySchema } from '../schemas.ts';
import { HELD_WITHIN_MS, type Waiting } from '../waiting.ts';

export interface TransitionRoutesOptions {
  feed: Pick<Feed, 'read' | 'readBatched'>;
  waiting: Waiting;
}

export const transitionRoutes: FastifyPluginCallbackTypebox<TransitionRoutesOptions> = (
  app,
  { feed, waiting },
  done,
) => {
  app.get(
    '/v1/transitions',
    {
      handlerTimeout: HELD_WITHIN_MS,
      schema: {
        operationId: 'readTransitions',
        summary: 'Read the feed of transitions',
        description:
          'Every transition exactly once, in the order they were committed in. With `wait`, as soon as there is one, ' +
          'or an empty page after so many seconds.',
        tags: ['Feed'],
        querystring: FeedQuerySchema,
        response: { 200: writtenAs(FeedPageJson) },
      },
    },
    async ({ query }, reply) => {
      const { limit, account = null, wait } = query;
      const asked = { after: readAfter(query.after), limit, account };
      const { transitions, next } = await read(asked, wait, reply).catch(refuseAhead);
      const nextCursor = JSON.stringify(feedCursor.encode(next));
      return sendJson(reply, `{"data":[${transitions.join(',')}],"nextCursor":${nextCursor}}`);
    },
  );

  async function read(query: FeedQuery, seconds: number, reply: FastifyReply): Promise<FeedPage> {
    const first = await feed.read(query);
    if (seconds === 0 || first.transitions.length > 0) return first;
    using hold = waiting.hold(reply, seconds * 1000);
    for (let page = first; ; ) {
      if (page.isEnd) await waiting.readable(page.next.xid, hold.signal);
      if (hold.clientIsGone) return page;
      // The end of the wait also reads once more: the answer is what Postgres says then.
      const isLast = hold.signal.aborted;
      page = await feed.readBatched({ ...query, after: page.next });
      if (isLast || page.transitions.length > 0) return page;
    }
  }

  done();
};

function readAfter(after: string | undefined): FeedPosition {
  if (after === undefined) return FEED_START;
  const position = feedCursor.decode(after);
  if (position === null) throw problem.invalidField('after', 'is not a cursor of this feed');
  return position;
}

function refuseAhead(error: unknown): never {
  if (!(error instanceof FeedPositionAheadError)) throw error;
  throw problem.invalidField('after', 'is a cursor of another database server: begin anew, without it');
}
