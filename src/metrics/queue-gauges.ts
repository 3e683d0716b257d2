import { Gauge, type Registry } from 'prom-client';
import type { CallQueue } from '../queue/call-queue.ts';

/** Tells how many calls are followed and how many wait. Returns a function to be called before each scrape. */
export function watchQueue(
  registry: Registry,
  queue: Pick<CallQueue, 'followed' | 'depth' | 'state'>,
): () => Promise<void> {
  const registers = [registry];
  new Gauge({
    name: 'polykeep_calls_followed',
    help: 'Calls that this process follows now.',
    registers,
    collect() {
      this.set(queue.followed);
    },
  });
  const up = new Gauge({
    name: 'polykeep_queue_up',
    help: '1 where the queue takes what it is given; 0 where it is away, or refuses writes.',
    registers,
  });
  const calls = new Gauge({
    name: 'polykeep_queue_calls',
    help: 'Calls in the queue of all processes: active (followed), waiting for a worker, or delayed (handed back, and soon waiting). Every process tells the same: take the max(). Missing while the queue is away.',
    labelNames: ['state'],
    registers,
  });

  return async () => {
    const [state, depth] = await Promise.all([queue.state(), queue.depth()]);
    up.set(state === 'up' ? 1 : 0);
    calls.reset();
    for (const [place, count] of Object.entries(depth ?? {})) calls.set({ state: place }, count);
  };
}
