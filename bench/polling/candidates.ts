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
  'p-queue': [48, 24, 100, 400],
} satisfies Record<string, readonly number[]>;

export type Sized = keyof typeof SIZES;

const STORES = {
  bare: [],
  bullmq: ['redis', 'postgres'],
  'graphile-worker': ['postgres'],
  'pg-boss': ['postgres'],
  'p-queue': ['postgres'],
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
      lacks: 'it keeps nothing, and knows of no end, no interval, no failure and no limit',
      start: () => startSized(bench, 'bare'),
    },
    {
      letter: 'b',
      name: 'polykeep, BullMQ',
      ours: true,
      settings: 'one worker; no pause between two polls of a call, all else as it comes',
      lacks: '',
      start: () => startWorker(bench),
    },
    {
      letter: 'c',
      name: 'polykeep, embedded',
      ours: true,
      settings: 'as (b), with the queue in the process and its own Postgres',
      lacks: '',
      start: () => startEmbedded(bench),
    },
    {
      letter: 'd',
      name: 'timer, fetch, INSERT',
      ours: false,
      settings: "Node's fetch and a pg Pool as they come",
      lacks: `a restart forgets the calls, a poll that fails ends its call, and ${NO_LIMIT}`,
      start: () => startPeer(bench, 'script', { size: 1, stores: ['postgres'] }),
    },
    {
      letter: 'e',
      name: 'BullMQ, a job per poll',
      ours: false,
      settings: `moveToDelayed and DelayedError, concurrency ${SIZES.bullmq[0]}`,
      lacks: `what Redis loses is not followed any more, changes are seen as new after a restart, and ${NO_LIMIT}`,
      start: () => startSized(bench, 'bullmq'),
    },
    {
      letter: 'f1',
      name: 'graphile-worker',
      ours: false,
      settings: `a job per poll; concurrentJobs ${SIZES['graphile-worker'][0]}, localQueue 500, completeJobBatchDelay 0 as published, jobs added in batches`,
      lacks: `each poll writes a row of its queue and deletes one, changes are seen as new after a restart, and ${NO_LIMIT}`,
      start: () => startSized(bench, 'graphile-worker'),
    },
    {
      letter: 'f2',
      name: 'pg-boss',
      ours: false,
      settings: `a job per poll; batchSize 500, localConcurrency ${SIZES['pg-boss'][0]}, burstWhenBatchFull, jobs added in batches`,
      lacks: `a slow answer holds up the 499 other jobs of its batch, changes are seen as new after a restart, and ${NO_LIMIT}`,
      start: () => startSized(bench, 'pg-boss'),
    },
    {
      letter: 'g',
      name: 'p-queue loop',
      ours: false,
      settings: `a promise for each call, p-queue with concurrency ${SIZES['p-queue'][0]}`,
      lacks: `a restart forgets the calls, one process alone can follow them, a poll that fails ends its call, and ${NO_LIMIT}`,
      start: () => startSized(bench, 'p-queue'),
    },
  ];
}

const NO_LIMIT = 'a 429 does not slow it down';
