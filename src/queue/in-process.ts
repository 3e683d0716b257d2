import { AsyncResource } from 'node:async_hooks';
import type { Follow, HandedOn } from '../follow/lease.ts';
import type { CallQueue } from './call-queue.ts';
import { Leases } from './leases.ts';

interface InProcessQueueOptions {
  concurrency: number;
  /** While the process is full and calls wait, leases of this age may be ended. */
  yieldAfterMs: number;
}

interface Entry {
  callSid: string;
  handedOn: HandedOn | null;
}

const YIELD_CHECK_MS = 1_000;

/** The queue of one process without Redis. It is in memory: after a restart the sweeper fills it from Postgres. */
export function createInProcessQueue({ concurrency, yieldAfterMs }: InProcessQueueOptions): CallQueue {
  const entries = new Map<string, Entry>();
  const waiting = new Set<Entry>();
  const active = new Set<Promise<void>>();
  const leases = new Leases({ atMost: concurrency, yieldAfterMs });
  let yieldCheck: NodeJS.Timeout | undefined;
  let follow: Follow | null = null;
  let closed = false;

  function startWaiting(): void {
    for (const entry of waiting) {
      if (follow === null || closed || active.size >= concurrency) return;
      waiting.delete(entry);
      const run = oneLease(entry, follow).finally(() => {
        active.delete(run);
        startWaiting();
      });
      active.add(run);
    }
  }

  async function oneLease(entry: Entry, follow: Follow): Promise<void> {
    const { callSid, handedOn } = entry;
    const lease = leases.begin(callSid, null);
    const result = await follow(callSid, handedOn, lease.ending.signal);
    leases.end(lease);
    if (entries.get(callSid) !== entry) return;
    if (result.kind === 'done') return void entries.delete(callSid);
    entry.handedOn = result.handOn;
    waiting.add(entry);
  }

  async function enqueue(callSids: readonly string[]): Promise<void> {
    for (const callSid of callSids) {
      if (closed || entries.has(callSid)) continue;
      const entry: Entry = { callSid, handedOn: null };
      entries.set(callSid, entry);
      waiting.add(entry);
    }
    startWaiting();
  }

  return {
    enqueue,
    // A call that this queue knows is waiting or followed: nothing of it needs to be made anew.
    requeue: enqueue,

    async remove(callSid) {
      const entry = entries.get(callSid);
      if (entry === undefined) return;
      entries.delete(callSid);
      waiting.delete(entry);
      leases.abort(callSid);
    },

    async work(follower, mayYield = () => true) {
      // Else a follower that a request starts would be a part of that request, for traces, for as long as it runs.
      follow = AsyncResource.bind(follower);
      yieldCheck = setInterval(() => mayYield() && leases.yieldTo(waiting.size), YIELD_CHECK_MS);
      startWaiting();
    },

    async state() {
      return 'up';
    },

    isShared: false,
    workers: async () => (follow === null ? 0 : 1),

    get followed() {
      return leases.size;
    },

    async depth() {
      return { active: leases.size, waiting: waiting.size, delayed: 0 };
    },

    async close() {
      closed = true;
      clearInterval(yieldCheck);
      leases.abortAll();
      await Promise.allSettled(active);
    },
  };
}
