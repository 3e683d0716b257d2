import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { FeedPositionAheadError } from '../../archive/errors.ts';
import { FEED_START, type FeedPosition, feedCursor } from '../../archive/read/cursors.ts';
import type { Feed, FeedPage, FeedQuery } from '../../archive/read/feed.ts';
import { EXAMPLE_EVENT_STREAM, EXAMPLE_FEED_PAGE } from '../examples.ts';
import type { FeedStream } from '../feed-stream.ts';
import { sendJson } from '../json-text.ts';
import { problem } from '../problems.ts';
import { FeedHeaders, FeedPageJson, FeedQuery as FeedQuerySchema } from '../schemas.ts';
import { HELD_WITHIN_MS, type Waiting } from '../waiting.ts';

/** As `after`: what comes from now on. */
const NOW = 'now';

export interface TransitionRoutesOptions {
  feed: Pick<Feed, 'read' | 'readBatched' | 'end'>;
  waiting: Waiting;
  stream: FeedStream;
}

const EVENT_STREAM = 'text/event-stream';

const ANSWER: object = {
  description: 'A page in the order that transitions were committed in, or each of them as an event.',
  content: {
    'application/json': { schema: FeedPageJson, example: EXAMPLE_FEED_PAGE },
    [EVENT_STREAM]: { schema: { type: 'string' }, example: EXAMPLE_EVENT_STREAM },
  },
};

export const transitionRoutes: FastifyPluginCallbackTypebox<TransitionRoutesOptions> = (
  app,
  { feed, waiting, stream },
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
          'or an empty page after so many seconds. As `text/event-stream` it goes on for as long as the client listens, ' +
          'with a comment every 15 seconds; the `id` of an event is a cursor.',
        tags: ['Feed'],
        headers: FeedHeaders,
        querystring: FeedQuerySchema,
        response: { 200: ANSWER },
      },
    },
    async ({ query, headers }, reply) => {
      const { limit, account = null, wait } = query;
      if (acceptsEvents(headers.accept)) {
        // What a browser says when it comes back counts for more than the address it was given at first.
        const last = headers['last-event-id'];
        const after = last ? readAfter(last, 'last-event-id') : readAfter(query.after);
        await stream.open(reply, after, account).catch(refuseAhead);
        return reply;
      }
      const asked = {
        after: query.after === NOW ? await feed.end() : readAfter(query.after),
        limit,
        account,
      };
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

function acceptsEvents(accept: string | undefined): boolean {
  return (
    accept?.split(',').some((type) => type.split(';')[0]?.trim().toLowerCase() === EVENT_STREAM) ?? false
  );
}

function readAfter(after: string | undefined, field = 'after'): FeedPosition {
  if (after === undefined) return FEED_START;
  const position = feedCursor.decode(after);
  if (position === null) throw problem.invalidField(field, 'is not a cursor of this feed');
  return position;
}

function refuseAhead(error: unknown): never {
  if (!(error instanceof FeedPositionAheadError)) throw error;
  throw problem.invalidField('after', 'is a cursor of another database server: begin anew, without it');
}
