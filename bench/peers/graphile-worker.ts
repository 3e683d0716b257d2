import DataLoader from 'dataloader';
import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import { createPoll } from './changes.ts';
import { callsToFollow, told } from './told.ts';

/**
 * graphile-worker with one job per poll: the job adds the next one. With what its page on performance advises: a local
 * queue, jobs completed in batches, and jobs added in batches.
 */
const { upstreamUrl, databaseUrl, size } = told();
const poll = await createPoll(upstreamUrl, databaseUrl);
const logger = new Logger(() => () => {});
const utils = await makeWorkerUtils({ connectionString: databaseUrl, logger });
await utils.migrate();
const adding = new DataLoader<string, null>(
  async (callSids) => {
    await utils.addJobs(callSids.map((callSid) => ({ identifier: 'poll', payload: { callSid } })));
    return callSids.map(() => null);
  },
  { cache: false, maxBatchSize: 500 },
);

const callSids = await callsToFollow();
await adding.loadMany(callSids);
const runner = await run({
  preset: {
    worker: {
      connectionString: databaseUrl,
      logger,
      concurrentJobs: size,
      maxPoolSize: 10,
      pollInterval: 100,
      localQueue: { size: 500 },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
    },
  },
  taskList: {
    async poll(payload) {
      const { callSid } = payload as { callSid: string };
      if (!(await poll(callSid))) await adding.load(callSid);
    },
  },
});
await runner.promise;
