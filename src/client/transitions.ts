import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { type Api, endOf } from './api.ts';
import { createRetrying, dataOf, type Patience } from './retrying.ts';
import type { FeedTransition } from './types.ts';

export interface TransitionsOptions extends Patience {
  /** The `cursor` of the last transition that was dealt with, or `now`; without it, from the very first one on. */
  after?: string;
  /** Only of this account. */
  account?: string;
}

export interface FollowedTransition extends FeedTransition {
  /** To go on behind it: keep it with what was made of the transition, and give it as `after` the next time. */
  cursor: string;
}

const ANSWER_WITHIN_MS = 60_000;
/** polykeep sends a comment every 15 s: a connection that is silent for so long is dead. */
const SILENT_MS = 45_000;

/**
 * Every transition once, in the order of the feed, for as long as it is asked for more. Where the stream breaks off it
 * goes on behind the last one, for as long as `patienceMs` lets it try (without it, for ever). Throws a `ProblemError`
 * where polykeep refuses it, and the signal's reason.
 */
export async function* transitions(
  api: Api,
  { after, account, signal, onRetry, patienceMs = Number.POSITIVE_INFINITY }: TransitionsOptions,
): AsyncGenerator<FollowedTransition, void, undefined> {
  const retrying = createRetrying({ patienceMs, onRetry, signal });
  const chosen = account === undefined ? {} : { account };
  // Where now is must stay the same, however often the stream has to be begun.
  let cursor = after === 'now' ? await retrying.insist(() => cursorOfNow(api, signal)) : after;

  for (;;) {
    try {
      const query = { ...chosen, ...(cursor === undefined ? {} : { after: cursor }) };
      for await (const event of events(api, query, signal, retrying.worked)) {
        if (event.event !== 'transition' || event.id === undefined) continue;
        const transition: FeedTransition = JSON.parse(event.data);
        cursor = event.id;
        yield { ...transition, cursor };
      }
      throw new Error('the stream of transitions ended');
    } catch (error) {
      await retrying.failed(error);
    }
  }
}

async function cursorOfNow(api: Api, signal: AbortSignal | undefined): Promise<string> {
  const query = { after: 'now', limit: 1 };
  const page = await api.GET('/v1/transitions', {
    params: { query },
    signal: endOf(signal, ANSWER_WITHIN_MS),
  });
  return dataOf(page).nextCursor;
}

/** The events of one stream, as they come. */
async function* events(
  api: Api,
  query: { after?: string; account?: string },
  signal: AbortSignal | undefined,
  connected: () => void,
): AsyncGenerator<EventSourceMessage> {
  const ending = new AbortController();
  const giveUp = () => ending.abort(new Error(`polykeep said nothing for ${SILENT_MS / 1_000} s`));
  // Only while it is listened to: what is made of an event may take longer.
  let deadline = setTimeout(giveUp, SILENT_MS);
  try {
    const answer = await api.GET('/v1/transitions', {
      params: { query },
      headers: { accept: 'text/event-stream' },
      parseAs: 'stream',
      signal: signal === undefined ? ending.signal : AbortSignal.any([signal, ending.signal]),
    });
    const body = dataOf(answer);
    connected();
    const parsed: EventSourceMessage[] = [];
    const parser = createParser({ onEvent: (event) => parsed.push(event) });
    const decoder = new TextDecoder();
    for await (const chunk of body ?? []) {
      clearTimeout(deadline);
      parser.feed(decoder.decode(chunk, { stream: true }));
      yield* parsed.splice(0);
      deadline = setTimeout(giveUp, SILENT_MS);
    }
  } finally {
    clearTimeout(deadline);
    ending.abort();
  }
}
