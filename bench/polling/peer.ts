import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Bench } from '../bench.ts';
import { plainWay, trustOf, type Way } from '../upstream/way.ts';
import type { Running } from './candidate.ts';

export interface PeerOptions {
  /** Connections, or jobs at a time. */
  size: number;
  stores: readonly ('redis' | 'postgres')[];
  /** null: the plain one that the parts share. */
  way?: Way | null;
  more?: Record<string, string>;
}

/** A file of `bench/peers/`, as a process that `told.ts` tells what it needs to know. */
export async function startPeer(
  bench: Bench,
  name: string,
  { size, stores, way = null, more = {} }: PeerOptions,
): Promise<Running> {
  const redis = stores.includes('redis') ? await bench.redis() : null;
  const postgres = stores.includes('postgres') ? await bench.postgres() : null;
  const asked = way ?? (await plainWay(bench));
  const child = fork(fileURLToPath(new URL(`../peers/${name}.ts`, import.meta.url)), {
    env: {
      PATH: process.env.PATH,
      ...trustOf(asked),
      UPSTREAM_URL: asked.upstream.url,
      DATABASE_URL: postgres === null ? '' : await bench.database({ migrated: false }),
      REDIS_URL: redis?.url ?? '',
      SIZE: `${size}`,
      ...more,
    },
  });
  const exited = once(child, 'exit');
  const ready = await Promise.race([once(child, 'message').then(() => true), exited.then(() => false)]);
  if (!ready) throw new Error(`the peer ${name} ended as it started`);
  return {
    pids: { own: child.pid ?? 0, redis: redis?.pid ?? null, postmaster: postgres?.pid ?? null },
    upstream: asked.upstream,
    follow: async (callSids) => void child.send(callSids),
    async stop() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
