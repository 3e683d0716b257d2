import { useEffect } from 'preact/hooks';
import type { FeedPage } from './answers.ts';
import { ask } from './client.ts';
import { sleep, untilVisible } from './patience.ts';

/** A request is held for so long; then what nothing was told of (a call of which nothing was seen yet) is looked for. */
const HELD_SECONDS = 20;
/** Where much happens, what is shown is renewed so often. */
const BETWEEN_MS = 4_000;
const AFTER_FAILURE_MS = 5_000;

/**
 * Renews what is shown when something has happened to any call of the account, while somebody looks at the page. The
 * feed is only asked whether there is something: to read it all would cost each open page all that happens.
 */
export function useNews(isOn: boolean, account: string | null, renew: () => Promise<void>): void {
  useEffect(() => {
    if (!isOn) return;
    const over = new AbortController();
    void follow(account, renew, over.signal);
    return () => over.abort();
  }, [isOn, account, renew]);
}

async function follow(account: string | null, renew: () => Promise<void>, over: AbortSignal): Promise<void> {
  const of = account === null ? '' : `&account=${encodeURIComponent(account)}`;
  while (!over.aborted) {
    const rest = sleep(BETWEEN_MS, over);
    try {
      // Where the feed ends is asked before what is shown is read: so nothing that comes in between is missed.
      const end = await ask<FeedPage>(`/v1/transitions?limit=1&after=now${of}`, { signal: over });
      await renew();
      const held = `/v1/transitions?limit=1&wait=${HELD_SECONDS}&after=${end.nextCursor}${of}`;
      await ask<FeedPage>(held, { signal: over });
    } catch {
      if (over.aborted) return;
      await sleep(AFTER_FAILURE_MS, over);
    }
    await rest;
    await untilVisible(over);
  }
}
