import { setTimeout as sleep } from 'node:timers/promises';
import { type Pushing, startPushing } from '../test/support/push.ts';
import type { Bench } from './bench.ts';
import { type Crowd, startCrowd } from './crowd.ts';
import { look, type Window } from './crowd-window.ts';
import { callSidOf } from './lives.ts';
import { openWay, type Way } from './upstream/way.ts';
import { settingsOf, startReceiver } from './webhook-receivers.ts';

export const POLLED_CALLS = 10_000;
const QUICK_CALLS = 500;
const ENDPOINTS = 3;
const SETTLE_MS = 8_000;
const WINDOW_MS = 8_000;
const QUICK_MS = 3_000;
/** Of the changes, one for each call: a call of PolyAI's lasts about so long. */
const SPREAD_MS = 60_000;

/** One worker without webhooks and one with three, side by side. */
export interface Polls {
  without: Window;
  withThree: Window;
}

/**
 * What three endpoints that are told of all add to following: two workers at the same time, on two archives, each with
 * as many calls of which one changes every 6 ms. What delivers is another process, as with `api` processes that have the
 * secret and workers that do not.
 */
export async function measurePolls(bench: Bench): Promise<Polls[]> {
  await using stack = new AsyncDisposableStack();
  const one = await startOne(bench, stack, 0);
  const other = await startOne(bench, stack, ENDPOINTS);
  await sleep(bench.quick ? QUICK_MS : SETTLE_MS);
  const redis = await bench.redisAsItIs();
  const postgresPid = (await bench.postgres()).pid;
  const rounds: Polls[] = [];
  for (let n = 0; n < bench.rounds; n++) {
    const [without, withThree] = await Promise.all(
      [one, other].map(({ crowd, way: { upstream }, calls }) =>
        look(
          crowd,
          { upstream, redisPid: redis.pid, postgresPid },
          { calls, windowMs: bench.quick ? QUICK_MS : WINDOW_MS },
        ),
      ),
    );
    if (without !== undefined && withThree !== undefined) rounds.push({ without, withThree });
  }
  return rounds;
}

async function startOne(
  bench: Bench,
  stack: AsyncDisposableStack,
  endpoints: number,
): Promise<{ crowd: Crowd; way: Way; calls: number }> {
  const databaseUrl = await bench.database();
  const way = await openWay(bench, 'http', 0);
  stack.defer(() => way.upstream.stop());
  if (endpoints > 0) await deliver(databaseUrl, stack, endpoints);
  const calls = bench.quick ? QUICK_CALLS : POLLED_CALLS;
  const startsAt = Date.now();
  const crowd = await startCrowd({
    ...{ databaseUrl, redisUrl: (await bench.redisAsItIs()).url, way, workers: 1 },
    callSids: Array.from({ length: calls }, (_, n) =>
      callSidOf(
        { startsAt, queuedMs: ((n * 0.618_034) % 1) * SPREAD_MS, callingMs: Number.POSITIVE_INFINITY },
        n,
      ),
    ),
  });
  stack.defer(() => crowd.stop());
  await way.upstream.keepIntervals(true);
  return { crowd, way, calls };
}

async function deliver(url: string, stack: AsyncDisposableStack, endpoints: number): Promise<void> {
  const pushing: Pushing = startPushing({ url });
  stack.defer(() => pushing.stop());
  for (let n = 0; n < endpoints; n++) {
    const receiver = await startReceiver();
    stack.use(receiver);
    await pushing.webhooks.create(settingsOf(receiver.url));
  }
  pushing.sender().start();
}
