import { setTimeout as sleep } from 'node:timers/promises';
import { client } from '../../test/support/client.ts';
import { startApi } from '../api-process.ts';
import type { Bench } from '../bench.ts';
import { commitsIn, postgresWithCommitTimes } from '../commit-times.ts';
import { startCrowd } from '../crowd.ts';
import { callSidOf, endlessCalls } from '../lives.ts';
import { atMost, type Part, round, shown } from '../part.ts';
import { quantile, spreadOf } from '../quantile.ts';
import { openWay } from '../upstream/way.ts';

const FOLLOWED = 1_000;
const LATENCY_MS = 50;
const SETTLE_MS = 5_000;
const EVERY_MS = 40;
/** In one round. */
const REGISTERED = 150;
const QUICK_REGISTERED = 20;

/** How soon something is known of a call that was registered. */
export const start: Part = {
  name: 'start',
  async run(bench) {
    bench.say('start');
    const rounds = await measure(bench);
    const p50 = spreadOf(rounds.map((ms) => quantile(ms, 0.5)));
    const p99 = spreadOf(rounds.map((ms) => quantile(ms, 0.99)));
    return {
      title: 'Start',
      text: [
        `From a call's registration by \`POST /v1/calls\`, one each ${EVERY_MS} ms, to the commit of its first status, while one worker follows`,
        `${FOLLOWED} others at the default interval. PolyAI is https and answers after ${LATENCY_MS} ms.`,
      ].join('\n'),
      tables: [{ head: ['', 'p50 ms', 'p99 ms'], rows: [['first status', round(p50.median), shown(p99)]] }],
      targets: [
        atMost(
          `start: registration to first status, p50 at ${FOLLOWED} calls: 150 ms + PolyAI's latency`,
          150 + LATENCY_MS,
          p50,
          ' ms',
        ),
      ],
      notes: [],
      rounds,
    };
  },
};

/** Milliseconds of each call, in rounds. */
async function measure(bench: Bench): Promise<number[][]> {
  await using stack = new AsyncDisposableStack();
  const postgres = stack.use(await postgresWithCommitTimes(bench));
  const databaseUrl = await postgres.database();
  const way = await openWay(bench, 'https h2', LATENCY_MS);
  stack.defer(() => way.upstream.stop());
  const { url: redisUrl } = await bench.redis();
  const crowd = await startCrowd({
    ...{ databaseUrl, redisUrl, way, workers: 1, callSids: endlessCalls(FOLLOWED) },
    // Room for those that come.
    more: { WORKER_CONCURRENCY: '20000' },
  });
  stack.defer(() => crowd.stop());
  const api = await startApi(bench, databaseUrl);
  stack.defer(async () => void (await api.stop()));
  const polykeep = client(api.url);
  await sleep(SETTLE_MS);
  const perRound = bench.quick ? QUICK_REGISTERED : REGISTERED;
  const callSids = Array.from({ length: bench.rounds * perRound }, (_, n) =>
    callSidOf({ startsAt: Date.now(), queuedMs: Number.POSITIVE_INFINITY, callingMs: 1 }, n),
  );
  for (const callSid of callSids) {
    await polykeep.post('/v1/calls', { callSid });
    await sleep(EVERY_MS);
  }
  await sleep(SETTLE_MS);
  const firsts = new Map(
    (await commitsIn(databaseUrl)).map(({ callSid, committedAt, registeredAt }) => [
      callSid,
      committedAt - registeredAt,
    ]),
  );
  return Array.from({ length: bench.rounds }, (_, round) =>
    callSids
      .slice(round * perRound, (round + 1) * perRound)
      .map((callSid) => firsts.get(callSid) ?? Number.POSITIVE_INFINITY),
  );
}
