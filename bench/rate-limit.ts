import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startSimulator } from '../src/simulator/simulator.ts';
import { client } from '../test/support/client.ts';
import { spawnSidecar } from '../test/support/sidecar.ts';

/**
 * How a rate limit is kept and shared: many calls that never end, under a limit far below what they ask for.
 * `node bench/rate-limit.ts [--calls 5000] [--limit 200] [--seconds 120]`; with `--database-url` and `--redis-url` also
 * `--workers 2`. With `--unknown` the limit is the simulator's (it answers 429), and polykeep is not told of it. With
 * `--burst 5` there is no limit, but after half a minute 5 s of nothing but 429: it tells how many polls per second were
 * answered before, and 10, 20, 30 and 60 s after.
 */
const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '5000' },
    limit: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '120' },
    workers: { type: 'string', default: '0' },
    unknown: { type: 'boolean', default: false },
    burst: { type: 'string' },
    'database-url': { type: 'string' },
    'redis-url': { type: 'string' },
  },
});
const limit = Number(values.limit);
const calls = Number(values.calls);
const TOKEN = `bench-${randomUUID()}`;
/** Until every call has had its turn once, and what was asked before the limit was known is over. */
const warmUpMs = Math.ceil((calls / limit) * 2_000) + 15_000;

const simulator = await startSimulator({
  token: TOKEN,
  ...(values.unknown && values.burst === undefined ? { maxRequestsPerSecond: limit } : {}),
});
const environment = {
  POLYAI_AUTH_TOKEN: TOKEN,
  POLYAI_BASE_URL: simulator.url,
  PORT: '0',
  DATA_DIR: `/tmp/polykeep-bench-${randomUUID()}`,
  LOG_LEVEL: 'warn',
  ...(values.unknown || values.burst !== undefined ? {} : { POLYAI_MAX_REQUESTS_PER_SECOND: values.limit }),
  ...(values['database-url'] ? { DATABASE_URL: values['database-url'] } : {}),
  ...(values['redis-url'] ? { REDIS_URL: values['redis-url'] } : {}),
};
const sidecar = spawnSidecar({ ...environment, LOG_LEVEL: 'info' });
const polykeep = client(await sidecar.url());
const workers = Array.from({ length: Number(values.workers) }, () => spawnSidecar(environment, 'worker'));

const callSids = Array.from({ length: calls }, () =>
  simulator.place({ script: [{ status: 'queued', forMs: Infinity }] }),
);
for (let first = 0; first < calls; first += 5_000) {
  const some = callSids.slice(first, first + 5_000);
  await polykeep.post('/v1/calls/batch', { calls: some.map((callSid) => ({ callSid })) });
}
if (values.burst === undefined) await underTheLimit();
else await afterABurst(Number(values.burst));
for (const process of [sidecar, ...workers]) await process.end('SIGTERM');
await simulator.stop();

async function underTheLimit(): Promise<void> {
  await sleep(warmUpMs);
  const from = Date.now();
  await sleep(Number(values.seconds) * 1000);
  const until = Date.now();

  const times = callSids.map((callSid) =>
    simulator.journal
      .polls(callSid)
      .filter(({ at, httpStatus }) => at >= from && at < until && httpStatus === 200)
      .map(({ at }) => at),
  );
  const refused = callSids.flatMap((callSid) =>
    simulator.journal
      .polls(callSid)
      .filter(({ at, httpStatus }) => at >= from && at < until && httpStatus === 429),
  );
  const intervals = times.flatMap((at) => at.slice(1).map((time, index) => time - (at[index] ?? 0)));
  const total = times.reduce((sum, { length }) => sum + length, 0);
  const mean = intervals.reduce((sum, ms) => sum + ms, 0) / intervals.length;
  const slowest = intervals.reduce((most, ms) => Math.max(most, ms), 0);
  const seconds = (until - from) / 1000;
  console.log(
    JSON.stringify({
      calls,
      limit,
      processes: 1 + workers.length,
      told: !values.unknown,
      answeredPerSecond: Number((total / seconds).toFixed(1)),
      ofLimit: Number((total / seconds / limit).toFixed(3)),
      refusedPerSecond: Number((refused.length / seconds).toFixed(1)),
      meanIntervalMs: Math.round(mean),
      slowestIntervalMs: slowest,
      slowestOfMean: Number((slowest / mean).toFixed(2)),
      callsNeverPolled: times.filter(({ length }) => length === 0).length,
    }),
  );
}

/** How many polls per second are answered before and after so many seconds of nothing but 429. */
async function afterABurst(seconds: number): Promise<void> {
  await sleep(30_000);
  const before = answeredPerSecond();
  const end = simulator.misbehave({ kind: 'status', code: 429, retryAfter: '1' });
  await sleep(seconds * 1_000);
  end();
  const after: Record<number, number> = {};
  let passed = 0;
  for (const second of [10, 20, 30, 60]) {
    await sleep((second - passed) * 1_000);
    passed = second;
    after[second] = answeredPerSecond();
  }
  console.log(JSON.stringify({ calls, processes: 1 + workers.length, burst: seconds, before, after }));
}

/** In the last five seconds. */
function answeredPerSecond(): number {
  const from = Date.now() - 5_000;
  let answered = 0;
  for (const callSid of callSids) {
    for (const { at, httpStatus } of simulator.journal.polls(callSid)) {
      if (at >= from && httpStatus === 200) answered++;
    }
  }
  return answered / 5;
}
