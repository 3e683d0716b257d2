import { PgBoss } from 'pg-boss';
import { createPoll } from './changes.ts';
import { callsToFollow, told } from './told.ts';

/**
 * pg-boss with one job per poll: the job adds the next one. Jobs are fetched and added in batches, and fetched at once
 * again while batches come back full.
 */
const BATCH = 500;
const { upstreamUrl, databaseUrl, size } = told();
const poll = await createPoll(upstreamUrl, databaseUrl);
const boss = new PgBoss({ connectionString: databaseUrl, schedule: false, supervise: false });
boss.on('error', (error) => console.error(error));
await boss.start();
await boss.createQueue('polls');

async function add(callSids: readonly string[]): Promise<void> {
  await boss.insert(
    'polls',
    callSids.map((callSid) => ({ data: { callSid } })),
  );
}

await add(await callsToFollow());
await boss.work<{ callSid: string }>(
  'polls',
  { batchSize: BATCH, localConcurrency: size, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 },
  async (jobs) => {
    const ended = await Promise.all(jobs.map(({ data }) => poll(data.callSid)));
    const alive = jobs.filter((_, index) => !ended[index]);
    if (alive.length > 0) await add(alive.map(({ data }) => data.callSid));
  },
);
