import { setTimeout as sleep } from 'node:timers/promises';
import PQueue from 'p-queue';
import { createPoll } from './changes.ts';
import { callsToFollow, told } from './told.ts';

/** The loop that people write next: a promise for each call, and p-queue to bound how many ask at a time. */
const { upstreamUrl, databaseUrl, size } = told();
const poll = await createPoll(upstreamUrl, databaseUrl);
const queue = new PQueue({ concurrency: size });

async function follow(callSid: string): Promise<void> {
  while (!(await queue.add(() => poll(callSid)))) await sleep(1);
}

await Promise.all((await callsToFollow()).map(follow));
