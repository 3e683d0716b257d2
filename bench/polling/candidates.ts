import type { Bench } from '../bench.ts';
import type { Candidate } from './candidate.ts';
import { startPeer } from './peer.ts';
import { startEmbedded, startWorker } from './polykeep.ts';

/** Of each peer, the sizes that `npm run bench -- tuning` tries; the first is the one it was found best with. */
export const SIZES = {
  bare: [48, 16, 32, 64, 128, 512],
  bullmq: [400, 100, 200, 800],
  'graphile-worker': [24, 10, 50, 100],
  'pg-boss': [6, 2, 4, 8],
} satisfies Record<string, readonly number[]>;

export type Sized = keyof typeof SIZES;

const STORES = {
  bare: [],
  bullmq: ['redis', 'postgres'],
  'graphile-worker': ['postgres'],
  'pg-boss': ['postgres'],
} as const;

export function startSized(bench: Bench, name: Sized, size = SIZES[name][0] ?? 1) {
  return startPeer(bench, name, { size, stores: STORES[name] });
}

export function candidatesOf(bench: Bench): Candidate[] {
  return [
    {
      letter: 'a',
      name: 'bare undici loop',
      ours: false,
      settings: `a Pool of ${SIZES.bare[0]} connections, as many requests at a time`,
      start: () => startSized(bench, 'bare'),
    },
    {
      letter: 'b',
      name: 'polykeep, BullMQ',
      ours: true,
      settings: 'one worker; no pause between two polls of a call, all else as it comes',
      start: () => startWorker(bench),
    },
    {
      letter: 'c',
      name: 'polykeep, embedded',
      ours: true,
      settings: 'as (b), with the queue in the process and its own Postgres',
      start: () => startEmbedded(bench),
    },
    {
      letter: 'd',
      name: 'timer, fetch, INSERT',
      ours: false,
      settings: "Node's fetch and a pg Pool as they come",
      start: () => startPeer(bench, 'script', { size: 1, stores: ['postgres'] }),
    },
    {
      letter: 'e',
      name: 'BullMQ, a job per poll',
      ours: false,
      settings: `moveToDelayed and DelayedError, concurrency ${SIZES.bullmq[0]}`,
      start: () => startSized(bench, 'bullmq'),
    },
    {
      letter: 'f1',
      name: 'graphile-worker',
      ours: false,
      settings: `a job per poll; concurrentJobs ${SIZES['graphile-worker'][0]}, localQueue 500, completeJobBatchDelay 250, jobs added in batches`,
      start: () => startSized(bench, 'graphile-worker'),
    },
    {
      letter: 'f2',
      name: 'pg-boss',
      ours: false,
      settings: `a job per poll; batchSize 500, localConcurrency ${SIZES['pg-boss'][0]}, burstWhenBatchFull, jobs added in batches`,
      start: () => startSized(bench, 'pg-boss'),
    },
  ];
}
