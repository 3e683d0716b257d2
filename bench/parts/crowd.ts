import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import { startCrowd } from '../crowd.ts';
import { look, ON_TIME_MS, type Window } from '../crowd-window.ts';
import { type Idle, startIdle } from '../idle.ts';
import { endlessCalls } from '../lives.ts';
import { atLeast, atMost, type Part, round, shown, type Table, type Target } from '../part.ts';
import { median, type Spread, spreadOf } from '../quantile.ts';
import { plainWay } from '../upstream/way.ts';

interface Case {
  calls: number;
  /** Whether it is waited for the time when leases end, which is by far the most of what they take. */
  isLong: boolean;
}

const CASES: readonly Case[] = [
  { calls: 1_000, isLong: false },
  { calls: 50_000, isLong: true },
];
const QUICK_CASES: readonly Case[] = [
  { calls: 200, isLong: false },
  { calls: 400, isLong: true },
];
const SETTLE_MS = 8_000;
/** The calls are taken up together: the first leases of 45 to 75 s end together, and then leases end all the time. */
const UNTIL_LEASES_END_MS = 80_000;
/** With `BENCH_LONG` a window is as long as a lease. */
const WINDOW_MS = process.env.BENCH_LONG === undefined ? 8_000 : 60_000;
const QUICK_MS = 2_000;

interface Measured {
  calls: number;
  leasesEnd: boolean;
  windows: Window[];
}

/** Many calls followed at a time, at the default interval of 2 to 5 s, and none at all. */
export const crowd: Part = {
  name: 'crowd',
  async run(bench) {
    await using idle = await startIdle(bench);
    const measured: Measured[] = [];
    for (const one of bench.quick ? QUICK_CASES : CASES) {
      bench.say(`crowd: ${one.calls} calls`);
      measured.push(...(await measure(bench, one)));
    }
    const memory = await idle.memory();
    return {
      title: 'Crowd',
      text: [
        'Calls that stay `queued`, all active at a time, polled at the default interval of 2 to 5 s over BullMQ. A poll',
        `is on time where it comes no later than ${ON_TIME_MS} ms after the call's last one: the longest interval and`,
        '500 ms; it is PolyAI that looks at the clock. Memory is the resident set over that of a worker that has been idle for a',
        'minute, read at the end of each window and never after a forced collection: what an operator sees. The rounds are',
        `windows of ${WINDOW_MS / 1000} s, one after the other, which begin ${SETTLE_MS / 1000} s after the last call is taken up, before any lease ends, and`,
        `once more ${UNTIL_LEASES_END_MS / 1000} s after it, when leases end all the time.`,
      ].join('\n'),
      tables: [table(measured, memory.worker), idleTable(memory)],
      targets: bench.quick ? [] : targets(measured, memory),
      notes: ['`BENCH_LONG=1` measures for as long as a lease each time.'],
      rounds: { measured, memory },
    };
  },
};

async function measure(bench: Bench, { calls, isLong }: Case): Promise<Measured[]> {
  const way = await plainWay(bench);
  const { upstream } = way;
  const redis = await bench.redis();
  const crowd = await startCrowd({
    ...{ databaseUrl: await bench.database(), redisUrl: redis.url, way, workers: 1 },
    callSids: endlessCalls(calls),
  });
  const takenUpAt = performance.now();
  const beside = { upstream, redisPid: redis.pid, postgresPid: (await bench.postgres()).pid };
  const windowMs = bench.quick ? QUICK_MS : WINDOW_MS;
  const windowsFrom = async (ms: number): Promise<Window[]> => {
    await sleep(Math.max(0, takenUpAt + (bench.quick ? QUICK_MS : ms) - performance.now()));
    const windows: Window[] = [];
    for (let n = 0; n < bench.rounds; n++) windows.push(await look(crowd, beside, { calls, windowMs }));
    return windows;
  };
  try {
    await upstream.keepIntervals(true);
    const early = { calls, leasesEnd: false, windows: await windowsFrom(SETTLE_MS) };
    if (!isLong) return [early];
    return [early, { calls, leasesEnd: true, windows: await windowsFrom(UNTIL_LEASES_END_MS) }];
  } finally {
    await upstream.keepIntervals(false);
    await crowd.stop();
  }
}

function mb(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}

function table(measured: readonly Measured[], idleBytes: number): Table {
  return {
    head: [
      'calls',
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
    rows: measured.map(({ calls, leasesEnd, windows }) => {
      const of = (value: (window: Window) => number) => round(median(windows.map(value)));
      return [
        `${calls.toLocaleString('en-GB')}${leasesEnd ? ', leases ending' : ''}`,
        of((window) => window.pollsPerSecond),
        of((window) => 100 * window.pollsShare),
        of((window) => 100 * window.onTime),
        of((window) => window.intervalP99),
        of((window) => window.sidecar),
        of((window) => window.redis),
        of((window) => window.postgres),
        shown(kbPerCall(windows, calls, idleBytes)),
        of((window) => window.eventLoopP99),
      ];
    }),
  };
}

function kbPerCall(windows: readonly Window[], calls: number, idleBytes: number): Spread {
  return spreadOf(windows.map(({ memoryBytes }) => (memoryBytes - idleBytes) / calls / 1024));
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
  const windowsOf = (calls: number, leasesEnd: boolean) =>
    measured.find((one) => one.calls === calls && one.leasesEnd === leasesEnd)?.windows ?? [];
  const cpu = (calls: number) => median(windowsOf(calls, false).map(({ sidecar }) => sidecar));
  const ofMany = [false, true].flatMap((leasesEnd) => {
    const windows = windowsOf(50_000, leasesEnd);
    const name = `50,000 calls in one worker${leasesEnd ? ', leases ending' : ''}`;
    return [
      atLeast(`${name}: on time`, 99, spreadOf(windows.map(({ onTime }) => 100 * onTime)), ' %'),
      atMost(`${name}: memory`, 16, kbPerCall(windows, 50_000, worker), ' KB/call'),
    ];
  });
  return [
    ...ofMany,
    atMost('CPU per poll at 1,000 calls / at 50,000', 2, cpu(1_000) / cpu(50_000)),
    atMost('idle for a minute: `worker`', 100, mb(worker), ' MB'),
    atMost('idle for a minute: `serve`', 100, mb(serve), ' MB'),
  ];
}
