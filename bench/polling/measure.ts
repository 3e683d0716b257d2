import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import { cpuOf, cpuOfTree } from '../cpu.ts';
import { newCalls } from './calls.ts';
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
}

export interface Times {
  warmUpMs: number;
  windowMs: number;
}

/** Starts the candidate, lets it run warm, and looks at one window. */
export async function measure(bench: Bench, candidate: Candidate, times: Times): Promise<Measured> {
  const running = await candidate.start();
  try {
    await running.follow(newCalls(times.warmUpMs + times.windowMs));
    await sleep(times.warmUpMs);
    return await measureWindow(bench, running, times.windowMs);
  } finally {
    await running.stop();
  }
}

async function measureWindow(bench: Bench, { pids }: Running, windowMs: number): Promise<Measured> {
  const upstream = await bench.upstream();
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
  const { polls } = await upstream.report();
  const each = (name: 'own' | 'redis' | 'postgres' | 'upstream') =>
    ((after[name] - before[name]) / polls) * 1e6;
  return {
    perSecond: polls / seconds,
    own: each('own'),
    redis: each('redis'),
    postgres: each('postgres'),
    upstream: each('upstream'),
    upstreamShare: (after.upstream - before.upstream) / seconds,
  };
}
