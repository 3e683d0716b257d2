import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import { memoryOf } from '../cpu.ts';
import { startCrowd } from '../crowd.ts';
import { look, ON_TIME_MS, type Window } from '../crowd-window.ts';
import { type Idle, startIdle } from '../idle.ts';
import { endlessCalls } from '../lives.ts';
import { atLeast, atMost, type Part, round, shown, type Table, type Target } from '../part.ts';
import { median, type Spread, spreadOf } from '../quantile.ts';
import { plainWay } from '../upstream/way.ts';

interface Case {
  calls: number;
  workers: number;
  /** null: the default, a minute. */
  leaseMs: number | null;
}

/** Leases of a third of the default length, so that they end all the time soon after the start. */
const SHORT_MS = 20_000;
const CASES: readonly Case[] = [
  { calls: 1_000, workers: 1, leaseMs: null },
  { calls: 50_000, workers: 1, leaseMs: null },
  { calls: 50_000, workers: 1, leaseMs: SHORT_MS },
];
const QUICK_CASES: readonly Case[] = [
  { calls: 200, workers: 1, leaseMs: null },
  { calls: 400, workers: 2, leaseMs: 2_000 },
];
/** With `BENCH_LONG` leases of the default length end all the time, and a window is as long as one. */
const IS_LONG = process.env.BENCH_LONG !== undefined;
const SETTLE_MS = IS_LONG ? 90_000 : 8_000;
const WINDOW_MS = IS_LONG ? 60_000 : 6_000;
const QUICK_MS = 4_000;

interface Measured extends Case {
  windows: Window[];
}

/** Many calls followed at a time, at the default interval of 2 to 5 s, and none at all. */
export const crowd: Part = {
  name: 'crowd',
  async run(bench) {
    await using idle = await startIdle(bench);
    const idleBytes = await idleMemory(bench);
    const measured: Measured[] = [];
    for (const one of bench.quick ? QUICK_CASES : CASES) {
      bench.say(`crowd: ${nameOf(one)}`);
      measured.push({ ...one, windows: await measure(bench, one, idleBytes) });
    }
    const memory = await idle.memory();
    return {
      title: 'Crowd',
      text: [
        'Calls that stay `queued`, all active at a time, polled at the default interval of 2 to 5 s over BullMQ. A poll',
        `is on time where it comes no later than ${ON_TIME_MS} ms after the call's last one: the longest interval and`,
        '500 ms; it is PolyAI that looks at the clock. Memory is the resident set over that of a worker that follows',
        `nothing (${mb(idleBytes)} MB), read at the end of each window and never after a forced`,
        'collection: what an operator sees. The event loop is that of the slowest worker. The rounds are windows of',
        `${WINDOW_MS / 1000} s, one after the other, which begin ${SETTLE_MS / 1000} s after the last call is taken up; with short leases`,
        'when the first leases have ended.',
      ].join('\n'),
      tables: [table(measured), idleTable(memory)],
      targets: bench.quick ? [] : targets(measured, memory),
      notes: [
        `Leases of the default length end 45 to 75 s after the calls are taken up together, behind these windows; with those of ${SHORT_MS / 1000} s three times as many are handed back as by default. \`BENCH_LONG=1\` waits until leases of the default length end all the time, and measures for as long as one.`,
      ],
      rounds: { measured, memory },
    };
  },
};

async function measure(
  bench: Bench,
  { calls, workers, leaseMs }: Case,
  idleBytes: number,
): Promise<Window[]> {
  const way = await plainWay(bench);
  const { upstream } = way;
  const redis = await bench.redis();
  const crowd = await startCrowd({
    databaseUrl: await bench.database(),
    redisUrl: redis.url,
    way,
    workers,
    callSids: endlessCalls(calls),
    ...(leaseMs === null ? {} : { more: { LEASE_MS: `${leaseMs}` } }),
  });
  const beside = { upstream, redisPid: redis.pid, postgresPid: (await bench.postgres()).pid, idleBytes };
  const windowMs = bench.quick ? QUICK_MS : WINDOW_MS;
  try {
    await upstream.keepIntervals(true);
    await sleep(bench.quick ? QUICK_MS : Math.max(SETTLE_MS, 1.25 * (leaseMs ?? 0)));
    const windows: Window[] = [];
    for (let number = 0; number < bench.rounds; number++) {
      windows.push(await look(crowd, beside, { calls, windowMs }));
    }
    return windows;
  } finally {
    await upstream.keepIntervals(false);
    await crowd.stop();
  }
}

async function idleMemory(bench: Bench): Promise<number> {
  const { url: redisUrl } = await bench.redis();
  const crowd = await startCrowd({
    ...{ databaseUrl: await bench.database(), redisUrl, way: await plainWay(bench) },
    ...{ workers: 1, callSids: [] },
  });
  try {
    await sleep(bench.quick ? QUICK_MS : SETTLE_MS);
    return Math.max(...(await Promise.all(crowd.pids.map(memoryOf))));
  } finally {
    await crowd.stop();
  }
}

function nameOf({ calls, workers, leaseMs }: Case): string {
  const lease = leaseMs === null ? '' : `, leases of ${leaseMs / 1000} s`;
  return `${calls.toLocaleString('en-GB')}, ${workers}${lease}`;
}

function mb(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
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
    rows: measured.map(({ windows, ...one }) => {
      const of = (value: (window: Window) => number) => round(median(windows.map(value)));
      return [
        nameOf(one),
        of((window) => window.pollsPerSecond),
        of((window) => 100 * window.pollsShare),
        of((window) => 100 * window.onTime),
        of((window) => window.intervalP99),
        of((window) => window.sidecar),
        of((window) => window.redis),
        of((window) => window.postgres),
        shown(spreadOf(windows.map((window) => window.bytesPerCall / 1024))),
        of((window) => window.eventLoopP99),
      ];
    }),
  };
}

function idleTable({ worker, serve }: Idle): Table {
  return {
    head: ['a minute after the start, no calls', 'resident MB'],
    rows: [
      ['`worker`', mb(worker)],
      ['`serve` with its own Postgres, without that', mb(serve)],
    ],
  };
}

function targets(measured: readonly Measured[], { worker, serve }: Idle): Target[] {
  const at = (calls: number, leaseMs: number | null, value: (window: Window) => number): Spread => {
    const found = measured.find((one) => one.calls === calls && one.leaseMs === leaseMs);
    return spreadOf((found?.windows ?? []).map(value));
  };
  const cpu = (calls: number) => at(calls, null, ({ sidecar }) => sidecar).median;
  const kb = (leaseMs: number | null) => at(50_000, leaseMs, ({ bytesPerCall }) => bytesPerCall / 1024);
  const onTime = (leaseMs: number | null) => at(50_000, leaseMs, (window) => 100 * window.onTime);
  return [
    atLeast('50,000 calls in one worker: on time', 99, onTime(null), ' %'),
    atMost('50,000 calls in one worker: memory', 16, kb(null), ' KB/call'),
    atLeast('50,000 calls, leases ending: on time', 99, onTime(SHORT_MS), ' %'),
    atMost('50,000 calls, leases ending: memory', 16, kb(SHORT_MS), ' KB/call'),
    atMost('CPU per poll at 1,000 calls / at 50,000', 2, cpu(1_000) / cpu(50_000)),
    atMost('idle for a minute: `worker`', 100, mb(worker), ' MB'),
    atMost('idle for a minute: `serve`', 100, mb(serve), ' MB'),
  ];
}
