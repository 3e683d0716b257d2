import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import { commitsIn, postgresWithCommitTimes } from '../commit-times.ts';
import { startCrowd } from '../crowd.ts';
import { idealSightings } from '../day/ideal.ts';
import { type Lag, lagsOf, summaryOf } from '../day/lags.ts';
import type { Placed } from '../day/programme.ts';
import { callSidOf } from '../lives.ts';
import { atLeast, atMost, type Part, round, shown } from '../part.ts';
import { type Spread, spreadOf } from '../quantile.ts';
import { openWay } from '../upstream/way.ts';

const CALLS = 1_000;
const LIMIT_PER_SECOND = 100;
const LATENCY_MS = 50;
/** Until the limit is found and every call had its turn under it. */
const SETTLE_MS = 35_000;
const WINDOW_MS = 12_000;
/** What a change waits for at most where the limit is kept to well. */
const AFTER_MS = 12_000;
const QUICK = { settleMs: 3_000, windowMs: 2_000, afterMs: 15_000 };

interface Round {
  accepted: number;
  refused: number;
  p50: number;
  idealP50: number;
}

/** A limit far below what the calls ask for, which nobody told polykeep of. */
export const limit: Part = {
  name: 'limit',
  async run(bench) {
    bench.say('limit');
    const rounds = await measure(bench);
    const of = (read: (round: Round) => number): Spread => spreadOf(rounds.map(read));
    const accepted = of((round) => round.accepted / LIMIT_PER_SECOND);
    const lag = of(({ p50, idealP50 }) => p50 / idealP50);
    return {
      title: 'A limit that nobody told of',
      text: [
        `${CALLS.toLocaleString('en-GB')} calls in one worker, whose PolyAI answers 429 to what is beyond ${LIMIT_PER_SECOND} requests a second, with \`Retry-After: 1\`. Each`,
        'call changes once. Lag is from the change to its commit, beside that of an ideal poller (as for the day), which asks',
        `in turn and just as often as the limit allows. Rounds are windows of ${WINDOW_MS / 1000} s, of which the first begins ${SETTLE_MS / 1000} s after the calls are`,
        'taken up.',
      ].join('\n'),
      tables: [
        {
          head: ['accepted, of the limit', 'refused/s', 'lag p50 s', 'ideal', 'ratio'],
          rows: [
            [
              shown(accepted),
              round(of(({ refused }) => refused).median),
              round(of(({ p50 }) => p50 / 1000).median),
              round(of(({ idealP50 }) => idealP50 / 1000).median),
              shown(lag),
            ],
          ],
        },
      ],
      targets: [
        atLeast(`an untold limit of ${LIMIT_PER_SECOND}/s: accepted of it`, 0.9, accepted),
        atMost(`an untold limit of ${LIMIT_PER_SECOND}/s: lag p50 to the ideal`, 1.15, lag),
      ],
      notes: [],
      rounds,
    };
  },
};

async function measure(bench: Bench): Promise<Round[]> {
  const { settleMs, windowMs, afterMs } = bench.quick
    ? QUICK
    : { settleMs: SETTLE_MS, windowMs: WINDOW_MS, afterMs: AFTER_MS };
  await using stack = new AsyncDisposableStack();
  const postgres = stack.use(await postgresWithCommitTimes(bench));
  const databaseUrl = await postgres.database();
  const way = await openWay(bench, 'https h2', LATENCY_MS);
  stack.defer(() => way.upstream.stop());
  await way.upstream.trouble({ limitPerSecond: LIMIT_PER_SECOND, failing: 0 });
  const startsAt = Date.now();
  const calls = changingOnce(startsAt, settleMs, windowMs * bench.rounds);
  const crowd = await startCrowd({
    ...{ databaseUrl, redisUrl: (await bench.redis()).url, way, workers: 1 },
    callSids: calls.map(({ callSid }) => callSid),
  });
  stack.defer(() => crowd.stop());
  await sleep(startsAt + settleMs - Date.now());
  await way.upstream.report();
  const windows: { from: number; accepted: number; refused: number }[] = [];
  for (let n = 0; n < bench.rounds; n++) {
    const from = Date.now();
    await sleep(startsAt + settleMs + (n + 1) * windowMs - from);
    const { polls, refused } = await way.upstream.report();
    const seconds = (Date.now() - from) / 1000;
    windows.push({ from, accepted: (polls - refused) / seconds, refused: refused / seconds });
  }
  await sleep(afterMs);
  const seen = (await commitsIn(databaseUrl)).map(({ committedAt, ...commit }) => ({
    ...commit,
    at: committedAt,
  }));
  const byCallSid = new Map(calls.map((call) => [call.callSid, call]));
  const lags = lagsOf(byCallSid, seen);
  const ideal = idealLags(calls, byCallSid, startsAt);
  return windows.map(({ from, accepted, refused }) => {
    const p50 = (of: readonly Lag[]) => summaryOf(of, from, from + windowMs).p50;
    return { accepted, refused, p50: p50(lags), idealP50: p50(ideal) };
  });
}

function changingOnce(startsAt: number, aheadMs: number, overMs: number): Placed[] {
  return Array.from({ length: CALLS }, (_, n) => {
    const queuedMs = Math.round(aheadMs + ((n * 0.618_034) % 1) * overMs);
    const callSid = callSidOf({ startsAt, queuedMs, callingMs: Number.POSITIVE_INFINITY }, n);
    return { callSid, placedAt: startsAt, callingAt: startsAt + queuedMs, endsAt: Number.POSITIVE_INFINITY };
  });
}

function idealLags(calls: readonly Placed[], byCallSid: Map<string, Placed>, startsAt: number): Lag[] {
  const inForce = [{ from: 0, limitPerSecond: LIMIT_PER_SECOND, failing: 0 }];
  const until = startsAt + 10 * SETTLE_MS;
  return lagsOf(byCallSid, idealSightings(calls, inForce, { latencyMs: LATENCY_MS, until }));
}
