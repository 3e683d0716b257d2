import { DelayedError, Queue, Worker } from 'bullmq';
import { createPoll } from './changes.ts';
import { callsToFollow, told } from './told.ts';

/** BullMQ with one job per poll, as its documentation has it: the job is moved to delayed until the next one. */
const { upstreamUrl, databaseUrl, redisUrl, size } = told();
const poll = await createPoll(upstreamUrl, databaseUrl);
const connection = { url: redisUrl };
const queue = new Queue<{ callSid: string }>('polls', { connection });
const worker = new Worker<{ callSid: string }>(
  'polls',
  async (job, token) => {
    if (await poll(job.data.callSid)) return;
    await job.moveToDelayed(Date.now() + 1, token);
    throw new DelayedError();
  },
  { connection, concurrency: size, removeOnComplete: { count: 0 } },
);
await worker.waitUntilReady();
const callSids = await callsToFollow();
await queue.addBulk(
  callSids.map((callSid) => ({ name: 'poll', data: { callSid }, opts: { jobId: callSid } })),
);
