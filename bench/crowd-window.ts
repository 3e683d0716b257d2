import { setTimeout as sleep } from 'node:timers/promises';
import { cpuOf, cpuOfTree, memoryOf } from './cpu.ts';
import type { Crowd } from './crowd.ts';
import type { Upstream } from './upstream/upstream.ts';

/** The defaults of POLL_INTERVAL_MIN_MS and POLL_INTERVAL_MAX_MS. */
const INTERVAL_MAX_MS = 5_000;
const MEAN_INTERVAL_MS = 3_500;
/** A poll that comes no later than this after the call's last one is on time. */
export const ON_TIME_MS = INTERVAL_MAX_MS + 500;

/** What one window of a crowd has shown. */
export interface Window {
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
  /** Resident, of all workers. */
  memoryBytes: number;
  connections: number;
}

/** Whom a crowd takes time from. */
export interface Beside {
  upstream: Upstream;
  redisPid: number;
  postgresPid: number;
}

/** Looks at a crowd of so many calls for so long. */
export async function look(
  crowd: Crowd,
  { upstream, redisPid, postgresPid }: Beside,
  { calls, windowMs }: { calls: number; windowMs: number },
): Promise<Window> {
  async function used() {
    const sidecars = await Promise.all(crowd.pids.map(cpuOf));
    return {
      sidecar: sidecars.reduce((sum, seconds) => sum + seconds, 0),
      redis: await cpuOf(redisPid),
      postgres: await cpuOfTree(postgresPid),
    };
  }
  await crowd.eventLoopP99();
  const before = await used();
  await upstream.report();
  const from = performance.now();
  await sleep(windowMs);
  const { polls, intervals, connections } = await upstream.report();
  const seconds = (performance.now() - from) / 1000;
  const after = await used();
  const perPoll = (spent: number) => (spent * 1e6) / polls;
  const memory = await Promise.all(crowd.pids.map(memoryOf));
  return {
    pollsShare: polls / ((calls * seconds * 1000) / MEAN_INTERVAL_MS),
    pollsPerSecond: polls / seconds,
    onTime: shareUpTo(intervals, ON_TIME_MS),
    intervalP99: quantileOf(intervals, 0.99),
    sidecar: perPoll(after.sidecar - before.sidecar),
    redis: perPoll(after.redis - before.redis),
    postgres: perPoll(after.postgres - before.postgres),
    eventLoopP99: await crowd.eventLoopP99(),
    memoryBytes: memory.reduce((sum, bytes) => sum + bytes, 0),
    connections,
  };
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
