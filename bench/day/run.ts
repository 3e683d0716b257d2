import { setTimeout as sleep } from 'node:timers/promises';
import { client } from '../../test/support/client.ts';
import { spawnSidecar } from '../../test/support/sidecar.ts';
import type { Bench } from '../bench.ts';
import { BUILT } from '../built.ts';
import { type Commit, commitsIn, postgresWithCommitTimes } from '../commit-times.ts';
import { cpuOf, cpuOfTree } from '../cpu.ts';
import { query } from '../query.ts';
import { environmentOf, openWay } from '../upstream/way.ts';
import { type Phase, PLACED_PER_SECOND, type Placed, PROGRAMME, place, type Scale } from './programme.ts';

export const LATENCY_MS = 50;
const TICK_MS = 1_000;
/** After the day, for what is not in the archive yet. */
const SETTLE_MS = 90_000;

/** What one phase has taken. CPU in seconds. */
export interface Passed {
  phase: Phase;
  from: number;
  until: number;
  placed: number;
  polls: number;
  refused: number;
  worker: number;
  api: number;
  redis: number;
  postgres: number;
  walBytes: number;
}

export interface Day {
  calls: Placed[];
  phases: Passed[];
  commits: Commit[];
  /** That were not in the archive to the end when it was waited for no longer. */
  unsettled: number;
}

/** An api that calls are registered with, and a worker that follows them, through all phases of the programme. */
export async function runDay(bench: Bench, scale: Scale): Promise<Day> {
  await using stack = new AsyncDisposableStack();
  const postgres = stack.use(await postgresWithCommitTimes(bench));
  const databaseUrl = await postgres.database();
  const redis = await bench.redis();
  const way = await openWay(bench, 'https h2', LATENCY_MS);
  const environment = { ...environmentOf(way), PORT: '0', DATABASE_URL: databaseUrl, REDIS_URL: redis.url };
  const [api, worker] = [spawnSidecar(environment, 'api', BUILT), spawnSidecar(environment, 'worker', BUILT)];
  stack.defer(async () => void (await Promise.all([api.end('SIGTERM'), worker.end('SIGTERM')])));
  const [url] = await Promise.all([api.url(), worker.url()]);
  const register = async (placed: readonly Placed[]) => {
    if (placed.length === 0) return;
    const calls = placed.map(({ callSid }) => ({ callSid }));
    const { status } = await client(url).post('/v1/calls/batch', { calls });
    if (status !== 200) throw new Error(`the calls were not registered: ${status}`);
  };
  const sample = async () => ({
    worker: await cpuOf(worker.process.pid ?? 0),
    api: await cpuOf(api.process.pid ?? 0),
    redis: await cpuOf(redis.pid),
    postgres: await cpuOfTree(postgres.pid),
    walBytes: await walBytes(databaseUrl),
  });

  const calls: Placed[] = [];
  const phases: Passed[] = [];
  const startsAt = Date.now();
  for (const phase of PROGRAMME) {
    bench.say(`day: ${phase.name}`);
    const [from, until] = [Date.now(), startsAt + phase.untilHour * scale.hourMs];
    const before = await sample();
    await way.upstream.trouble(phase.trouble);
    const first = calls.length;
    const placeMore = async (count: number) => {
      const placed = Array.from({ length: count }, (_, n) => place(Date.now(), calls.length + n, scale));
      calls.push(...placed);
      await register(placed);
    };
    await placeMore(Math.round(phase.campaign * scale.share));
    for (let left = until - Date.now(); left > 0; left = until - Date.now()) {
      await sleep(Math.min(left, TICK_MS));
      await placeMore(PLACED_PER_SECOND);
    }
    const { polls, refused } = await way.upstream.report();
    const after = await sample();
    phases.push({
      ...{ phase, from, until: Date.now(), placed: calls.length - first, polls, refused },
      worker: after.worker - before.worker,
      api: after.api - before.api,
      redis: after.redis - before.redis,
      postgres: after.postgres - before.postgres,
      walBytes: after.walBytes - before.walBytes,
    });
  }
  const unsettled = await allSettled(databaseUrl);
  return { calls, phases, commits: await commitsIn(databaseUrl), unsettled };
}

async function allSettled(databaseUrl: string): Promise<number> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const [row] = await query<{ left: number }>(
      databaseUrl,
      'select count(*)::int as left from polykeep_internal.unsettled',
    );
    const left = row?.left ?? 0;
    if (left === 0 || performance.now() > deadline) return left;
    await sleep(TICK_MS);
  }
}

async function walBytes(databaseUrl: string): Promise<number> {
  const [row] = await query<{ bytes: string }>(
    databaseUrl,
    `select (pg_current_wal_lsn() - '0/0')::text as bytes`,
  );
  return Number(row?.bytes);
}
