import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import { cpuOf, cpuOfTree, memoryOf } from '../cpu.ts';
import { type Crowd, startCrowd } from '../crowd.ts';
import { callSidOf } from '../lives.ts';
import { atLeast, atMost, type Part, round, type Table } from '../part.ts';
import { median } from '../quantile.ts';

const CASES = [
  { calls: 1_000, workers: 1 },
  { calls: 5_000, workers: 1 },
  { calls: 20_000, workers: 1 },
  { calls: 50_000, workers: 1 },
  { calls: 50_000, workers: 2 },
];
const QUICK_CASES = [
  { calls: 200, workers: 1 },
  { calls: 400, workers: 2 },
];
/** The defaults of POLL_INTERVAL_MIN_MS and POLL_INTERVAL_MAX_MS. */
const INTERVAL_MAX_MS = 5_000;
const MEAN_INTERVAL_MS = 3_500;
const ON_TIME_MS = INTERVAL_MAX_MS + 500;
/**
 * The calls are taken up together, and their leases of 45 to 75 s end together for the first time: with `BENCH_LONG` it
 * is waited for that, and each window is as long as a lease.
 */
const IS_LONG = process.env.BENCH_LONG !== undefined;
const SETTLE_MS = IS_LONG ? 90_000 : 8_000;
const WINDOW_MS = IS_LONG ? 60_000 : 8_000;
const QUICK_MS = 4_000;

/** What one window of a crowd has shown. */
interface Window {
  /** Of the polls that so many calls are due in the time. */
  pollsShare: number;
  pollsPerSecond: number;
  onTime: number;
  intervalP99: number;
  /** Microseconds of CPU for each poll. */
  sidecar: number;
  redis: number;
  postgres: number;
  eventLoopP99: number;
  bytesPerCall: number;
}

interface Measured {
  calls: number;
  workers: number;
  windows: Window[];
}

/** Many calls followed at a time, at the default interval of 2 to 5 s. */
export const crowd: Part = {
  name: 'crowd',
  async run(bench) {
    const idleBytes = await idleMemory(bench);
    const measured: Measured[] = [];
    for (const one of bench.quick ? QUICK_CASES : CASES) {
      bench.say(`crowd: ${one.calls} calls, workers: ${one.workers}`);
      measured.push({ ...one, windows: await measure(bench, one, idleBytes) });
    }
    return {
      title: 'Crowd',
      text: [
        'Calls that stay `queued`, all active at a time, polled at the default interval of 2 to 5 s over BullMQ. A poll',
        `is on time where it comes no later than ${ON_TIME_MS} ms after the call's last one: the longest interval and`,
        '500 ms; it is PolyAI that looks at the clock. Memory is the resident set over that of a worker that follows',
        `nothing (${Math.round(idleBytes / 2 ** 20)} MB), read at the end of each window and never after a forced`,
        'collection: what an operator sees. The event loop is that of the slowest worker. The rounds are windows of',
        `${WINDOW_MS / 1000} s, one after the other, which begin ${SETTLE_MS / 1000} s after the last call is taken up.`,
      ].join('\n'),
      tables: [table(measured)],
      targets: targets(measured),
      notes: IS_LONG
        ? []
        : [
            'No lease ends in these windows, which begin soon after all calls are taken up together: `BENCH_LONG=1` waits until leases end all the time, and measures for as long as one.',
          ],
      rounds: measured,
    };
  },
};

async function measure(
  bench: Bench,
  { calls, workers }: { calls: number; workers: number },
  idleBytes: number,
): Promise<Window[]> {
  const upstream = await bench.upstream();
  const redis = await bench.redis();
  const postgres = await bench.postgres();
  const startsAt = Date.now();
  const life = { startsAt, queuedMs: Number.POSITIVE_INFINITY, callingMs: 0 };
  const crowd = await startCrowd({
    databaseUrl: await bench.database(),
    redisUrl: redis.url,
    upstreamUrl: upstream.url,
    workers,
    callSids: Array.from({ length: calls }, (_, n) => callSidOf(life, n)),
  });
  try {
    await upstream.keepIntervals(true);
    await sleep(bench.quick ? QUICK_MS : SETTLE_MS);
    const windows: Window[] = [];
    for (let number = 0; number < bench.rounds; number++) {
      windows.push(await look(bench, crowd, { calls, idleBytes, redis: redis.pid, postgres: postgres.pid }));
    }
    return windows;
  } finally {
    await upstream.keepIntervals(false);
    await crowd.stop();
  }
}

async function look(
  bench: Bench,
  crowd: Crowd,
  pids: { calls: number; idleBytes: number; redis: number; postgres: number },
): Promise<Window> {
  const upstream = await bench.upstream();
  await crowd.eventLoopP99();
  const before = await used(crowd, pids);
  await upstream.report();
  const from = performance.now();
  await sleep(bench.quick ? QUICK_MS : WINDOW_MS);
  const { polls, intervals } = await upstream.report();
  const seconds = (performance.now() - from) / 1000;
  const after = await used(crowd, pids);
  const perPoll = (spent: number) => (spent * 1e6) / polls;
  const memory = await Promise.all(crowd.pids.map(memoryOf));
  const over = memory.reduce((sum, bytes) => sum + bytes - pids.idleBytes, 0);
  return {
    pollsShare: polls / ((pids.calls * seconds * 1000) / MEAN_INTERVAL_MS),
    pollsPerSecond: polls / seconds,
    onTime: shareUpTo(intervals, ON_TIME_MS),
    intervalP99: quantileOf(intervals, 0.99),
    sidecar: perPoll(after.sidecar - before.sidecar),
    redis: perPoll(after.redis - before.redis),
    postgres: perPoll(after.postgres - before.postgres),
    eventLoopP99: await crowd.eventLoopP99(),
    bytesPerCall: over / pids.calls,
  };
}

async function used(crowd: Crowd, { redis, postgres }: { redis: number; postgres: number }) {
  const sidecars = await Promise.all(crowd.pids.map(cpuOf));
  return {
    sidecar: sidecars.reduce((sum, seconds) => sum + seconds, 0),
    redis: await cpuOf(redis),
    postgres: await cpuOfTree(postgres),
  };
}

async function idleMemory(bench: Bench): Promise<number> {
  const upstream = await bench.upstream();
  const redis = await bench.redis();
  const databaseUrl = await bench.database();
  const nobody = { databaseUrl, redisUrl: redis.url, upstreamUrl: upstream.url, workers: 1, callSids: [] };
  const crowd = await startCrowd(nobody);
  try {
    await sleep(bench.quick ? QUICK_MS : SETTLE_MS);
    return Math.max(...(await Promise.all(crowd.pids.map(memoryOf))));
  } finally {
    await crowd.stop();
  }
}

function shareUpTo(intervals: readonly [ms: number, polls: number][], limit: number): number {
  let all = 0;
  let within = 0;
  for (const [ms, polls] of intervals) {
    all += polls;
    if (ms <= limit) within += polls;
  }
  return within / all;
}

function quantileOf(intervals: readonly [ms: number, polls: number][], part: number): number {
  let left = Math.ceil(intervals.reduce((sum, [, polls]) => sum + polls, 0) * part);
  for (const [ms, polls] of intervals) {
    left -= polls;
    if (left <= 0) return ms;
  }
  return Number.NaN;
}

function table(measured: readonly Measured[]): Table {
  return {
    head: [
      'calls, workers',
      'polls/s',
      'of those due %',
      'on time %',
      'interval p99 ms',
      'CPU µs/poll',
      'Redis',
      'Postgres',
      'KB/call',
      'event loop p99 ms',
    ],
    rows: measured.map(({ calls, workers, windows }) => {
      const of = (value: (window: Window) => number) => round(median(windows.map(value)));
      return [
        `${calls}, ${workers}`,
        of((window) => window.pollsPerSecond),
        of((window) => 100 * window.pollsShare),
        of((window) => 100 * window.onTime),
        of((window) => window.intervalP99),
        of((window) => window.sidecar),
        of((window) => window.redis),
        of((window) => window.postgres),
        of((window) => window.bytesPerCall / 1024),
        of((window) => window.eventLoopP99),
      ];
    }),
  };
}

function targets(measured: readonly Measured[]) {
  const at = (calls: number, value: (window: Window) => number) => {
    const found = measured.find((one) => one.calls === calls && one.workers === 1);
    return median((found?.windows ?? []).map(value));
  };
  return [
    atLeast('50,000 calls in one worker: on time', 99, 100 * at(50_000, ({ onTime }) => onTime), ' %'),
    atMost(
      '50,000 calls in one worker: memory',
      16,
      at(50_000, (w) => w.bytesPerCall / 1024),
      ' KB/call',
    ),
    atMost(
      'CPU per poll at 20,000 calls / at 1,000',
      1.15,
      at(20_000, ({ sidecar }) => sidecar) / at(1_000, ({ sidecar }) => sidecar),
    ),
  ];
}
