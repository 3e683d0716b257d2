import { setTimeout as sleep } from 'node:timers/promises';
import { cpuOf, cpuOfTree } from '../cpu.ts';
import { follow } from './calls.ts';
import type { Candidate, Running } from './candidate.ts';

/** One candidate in one round. CPU in microseconds per poll. */
export interface Measured {
  perSecond: number;
  own: number;
  redis: number;
  postgres: number;
  /** The upstream's own, and how much of a core it took. */
  upstream: number;
  upstreamShare: number;
  /** Open to the upstream. */
  connections: number;
}

export interface Times {
  warmUpMs: number;
  windowMs: number;
}

/** Starts the candidate, lets it run warm, and looks at one window. */
export async function measure(candidate: Candidate, times: Times): Promise<Measured> {
  const running = await candidate.start();
  try {
    await follow(running, times.warmUpMs + times.windowMs);
    await sleep(times.warmUpMs);
    return await measureWindow(running, times.windowMs);
  } finally {
    await running.upstream.lives({ laterBy: 0 });
    await running.stop();
  }
}

/** One window of a candidate that runs. */
export async function measureWindow({ pids, upstream }: Running, windowMs: number): Promise<Measured> {
  const spent = async () => ({
    own: await cpuOf(pids.own),
    redis: pids.redis === null ? 0 : await cpuOf(pids.redis),
    postgres: pids.postmaster === null ? 0 : await cpuOfTree(pids.postmaster),
    upstream: await cpuOf(upstream.pid),
  });
  await upstream.report();
  const from = performance.now();
  const before = await spent();
  await sleep(windowMs);
  const after = await spent();
  const seconds = (performance.now() - from) / 1000;
  const { polls, connections } = await upstream.report();
  const each = (name: 'own' | 'redis' | 'postgres' | 'upstream') =>
    ((after[name] - before[name]) / polls) * 1e6;
  return {
    perSecond: polls / seconds,
    own: each('own'),
    redis: each('redis'),
    postgres: each('postgres'),
    upstream: each('upstream'),
    connections,
    upstreamShare: (after.upstream - before.upstream) / seconds,
  };
}
