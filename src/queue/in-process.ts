import type { Logger } from 'pino';
import type { Follow, HandedOn } from '../tracking/follow.ts';
import type { CallQueue } from './call-queue.ts';

export interface InProcessQueueOptions {
  concurrency: number;
  log: Logger;
}

/** Wait before a call is followed again whose follower broke off by an error. */
const AFTER_ERROR_MS = 5_000;

interface Entry {
  callSid: string;
  handedOn: HandedOn | null;
  /** Aborts the follower while the call is active. */
  abort: AbortController | null;
  /** Runs while the call is handed back and not yet due. */
  timer: NodeJS.Timeout | undefined;
}

/** The queue of the embedded mode: one process, nothing else to install, and what it forgets is in Postgres. */
export function createInProcessQueue({ concurrency, log }: InProcessQueueOptions): CallQueue {
  const entries = new Map<string, Entry>();
  const waiting = new Set<Entry>();
  const active = new Set<Promise<void>>();
  let follow: Follow | null = null;
  let closed = false;

  function startWaiting(): void {
    for (const entry of waiting) {
      if (follow === null || closed || active.size >= concurrency) return;
      waiting.delete(entry);
      const run = lease(entry, follow).finally(() => {
        active.delete(run);
        startWaiting();
      });
      active.add(run);
    }
  }

  async function lease(entry: Entry, follow: Follow): Promise<void> {
    const { callSid, handedOn } = entry;
    const abort = new AbortController();
    entry.abort = abort;
    let dueInMs = AFTER_ERROR_MS;
    try {
      const result = await follow(callSid, handedOn, abort.signal);
      if (result.kind === 'done') return forget(entry);
      dueInMs = result.dueInMs;
      entry.handedOn = result.handOn;
    } catch (error) {
      if (!closed) log.error({ callSid, err: error }, 'follower broke off');
    }
    entry.abort = null;
    if (closed || entries.get(callSid) !== entry) return;
    entry.timer = setTimeout(() => {
      waiting.add(entry);
      startWaiting();
    }, dueInMs);
  }

  function forget(entry: Entry): void {
    if (entries.get(entry.callSid) === entry) entries.delete(entry.callSid);
    waiting.delete(entry);
    clearTimeout(entry.timer);
    entry.abort?.abort();
  }

  return {
    async enqueue(callSids) {
      for (const callSid of callSids) {
        if (closed || entries.has(callSid)) continue;
        const entry: Entry = { callSid, handedOn: null, abort: null, timer: undefined };
        entries.set(callSid, entry);
        waiting.add(entry);
      }
      startWaiting();
    },

    async remove(callSid) {
      const entry = entries.get(callSid);
      if (entry !== undefined) forget(entry);
    },

    async work(follower) {
      follow = follower;
      startWaiting();
    },

    async state() {
      return 'up';
    },

    async close() {
      closed = true;
      for (const entry of entries.values()) {
        clearTimeout(entry.timer);
        entry.abort?.abort();
      }
      await Promise.allSettled(active);
    },
  };
}
