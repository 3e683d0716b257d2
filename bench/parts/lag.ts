import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import { commitsIn, postgresWithCommitTimes } from '../commit-times.ts';
import { startCrowd } from '../crowd.ts';
import { callSidOf, lifeOf } from '../lives.ts';
import { atMost, type Part, round } from '../part.ts';
import { median, quantile } from '../quantile.ts';
import { plainWay } from '../upstream/way.ts';

const CROWDS = [20_000];
const QUICK_CROWDS = [100];
/** The defaults of POLL_INTERVAL_MIN_MS and POLL_INTERVAL_MAX_MS. */
const MIN_MS = 2_000;
const MAX_MS = 5_000;
const MEAN_MS = (MIN_MS + MAX_MS) / 2;
/** A change at any time waits for the end of an interval that is the likelier hit the longer it is. */
const THEORETICAL_MEAN_MS = (MIN_MS ** 2 + MIN_MS * MAX_MS + MAX_MS ** 2) / 3 / (2 * MEAN_MS);
/** Until the first change, so that all calls are followed by then. */
const AHEAD_MS = 15_000;
const WINDOW_MS = 8_000;
const QUICK_WINDOW_MS = 3_000;

interface Lags {
  changes: number;
  mean: number;
  p50: number;
  p99: number;
  /** What of it comes after the answer to the poll that saw the change: all that is not the wait for that poll. */
  addedP50: number;
  addedP99: number;
}

/** How long after a change at PolyAI its row is committed. */
export const lag: Part = {
  name: 'lag',
  async run(bench) {
    await using postgres = await postgresWithCommitTimes(bench);
    const measured: { calls: number; windows: Lags[] }[] = [];
    for (const calls of bench.quick ? QUICK_CROWDS : CROWDS) {
      bench.say(`lag: ${calls} calls`);
      measured.push({ calls, windows: await measure(bench, await postgres.database(), calls) });
    }
    const of = (windows: readonly Lags[], value: (lags: Lags) => number) => median(windows.map(value));
    return {
      title: 'Lag',
      text: [
        'From the moment that a call is `calling` at PolyAI to the commit of that transition, by Postgres’ own record of',
        'commit times (`track_commit_timestamp`), at the default interval of 2 to 5 s over BullMQ. Each call changes once,',
        `all of them spread over ${WINDOW_MS / 1000} s for each round. With intervals spread evenly between 2 and 5 s a change waits`,
        `${round(THEORETICAL_MEAN_MS)} ms for the next poll in the mean, half of them more than ${MEAN_MS / 2} ms, none more than ${MAX_MS} ms.`,
      ].join('\n'),
      tables: [
        {
          head: ['calls', 'changes', 'mean ms', 'p50 ms', 'p99 ms', 'after the poll p50 ms', 'p99 ms'],
          rows: measured.map(({ calls, windows }) => [
            `${calls}`,
            of(windows, ({ changes }) => changes),
            round(of(windows, ({ mean }) => mean)),
            round(of(windows, ({ p50 }) => p50)),
            round(of(windows, ({ p99 }) => p99)),
            round(of(windows, ({ addedP50 }) => addedP50)),
            round(of(windows, ({ addedP99 }) => addedP99)),
          ]),
        },
      ],
      targets: measured.flatMap(({ calls, windows }) => [
        atMost(
          `lag p50 at ${calls} calls: half the mean interval + 50 ms`,
          MEAN_MS / 2 + 50,
          of(windows, ({ p50 }) => p50),
          ' ms',
        ),
        atMost(
          `lag p99 at ${calls} calls: the longest interval + 250 ms`,
          MAX_MS + 250,
          of(windows, ({ p99 }) => p99),
          ' ms',
        ),
      ]),
      notes: [
        // The error of a median is 1 / (2 f √n), with f the density there: one over the mean interval.
        ...measured.map(({ calls, windows }) => {
          const error = MEAN_MS / 2 / Math.sqrt(windows.reduce((sum, { changes }) => sum + changes, 0));
          return `The changes are drawn at random: at ${calls} calls chance alone moves the p50 by ± ${round(error)} ms (one standard error).`;
        }),
      ],
      rounds: measured,
    };
  },
};

async function measure(bench: Bench, databaseUrl: string, calls: number): Promise<Lags[]> {
  const redis = await bench.redis();
  const windowMs = bench.quick ? QUICK_WINDOW_MS : WINDOW_MS;
  const changingMs = windowMs * bench.rounds;
  const startsAt = Date.now();
  const firstAt = startsAt + AHEAD_MS;
  const callSids = Array.from({ length: calls }, (_, n) =>
    callSidOf(
      {
        startsAt,
        queuedMs: AHEAD_MS + Math.random() * changingMs,
        callingMs: Number.POSITIVE_INFINITY,
      },
      n,
    ),
  );
  const crowd = await startCrowd({
    databaseUrl,
    redisUrl: redis.url,
    way: await plainWay(bench),
    workers: 1,
    callSids,
  });
  try {
    if (Date.now() > firstAt) throw new Error('the calls were taken up too late for the first change');
    await sleep(firstAt + changingMs + 2 * MAX_MS - Date.now());
  } finally {
    await crowd.stop();
  }
  const committed = await changesIn(databaseUrl);
  if (committed.length < calls) throw new Error(`${calls - committed.length} changes were not seen`);
  return Array.from({ length: bench.rounds }, (_, number) =>
    lagsIn(committed, firstAt + number * windowMs, windowMs),
  );
}

interface Change {
  changedAt: number;
  lagMs: number;
  addedMs: number;
}

async function changesIn(databaseUrl: string): Promise<Change[]> {
  const commits = (await commitsIn(databaseUrl)).filter(({ status }) => status === 'calling');
  return commits.map(({ callSid, committedAt, observedAt }) => {
    const { startsAt, queuedMs } = lifeOf(callSid);
    const changedAt = startsAt + queuedMs;
    return { changedAt, lagMs: committedAt - changedAt, addedMs: committedAt - observedAt };
  });
}

function lagsIn(commits: readonly Change[], from: number, ms: number): Lags {
  const seen = commits.filter(({ changedAt }) => changedAt >= from && changedAt < from + ms);
  const lags = seen.map(({ lagMs }) => lagMs);
  const added = seen.map(({ addedMs }) => addedMs);
  return {
    changes: lags.length,
    mean: lags.reduce((sum, lag) => sum + lag, 0) / lags.length,
    p50: quantile(lags, 0.5),
    p99: quantile(lags, 0.99),
    addedP50: quantile(added, 0.5),
    addedP99: quantile(added, 0.99),
  };
}
