import type { Bench } from '../bench.ts';
import { idealSightings } from '../day/ideal.ts';
import { type Lag, lagsOf, type Summary, summaryOf } from '../day/lags.ts';
import { PROGRAMME, type Scale } from '../day/programme.ts';
import { type Day, LATENCY_MS, type Passed, runDay } from '../day/run.ts';
import { atLeast, atMost, type Lines, type Part, round, type Table, type Target } from '../part.ts';

/** `BENCH_DAY_MINUTES` is for trying it: lives do not shrink with the hours, so that fewer calls are there at a time. */
const MINUTES = Number(process.env.BENCH_DAY_MINUTES ?? 10);
const QUICK_MINUTES = 1;
const BUCKET_HOURS = 0.5;
const TICKS = [0.1, 0.3, 1, 3, 10, 30, 100, 300];

interface Found {
  day: Day;
  scale: Scale;
  lags: Lag[];
  ideal: Lag[];
}

/** A day in ten minutes: campaigns, failures, an outage and limits that nobody told of. */
export const day: Part = {
  name: 'day',
  async run(bench) {
    const found = await measure(bench);
    const { day, scale } = found;
    const { calls, phases, unsettled } = day;
    const minutes = (24 * scale.hourMs) / 60_000;
    return {
      title: 'A day',
      text: [
        `A day's shape in ${round(minutes)} minutes: an hour takes ${round(scale.hourMs / 1000)} s, and calls live as long as they do (queued 3 to 20 s, calling 5 to`,
        `60 s). An \`api\` registers ${calls.length.toLocaleString('en-GB')} calls, and one \`worker\` follows them at the default interval, over https from a PolyAI that`,
        `answers after ${LATENCY_MS} ms. Lag is from a change at PolyAI to its commit, of all changes that were seen, by when they happened. Beside it`,
        'stands an ideal poller of the same calls, computed: it asks at the same pace, is never late, knows each limit and keeps to it',
        'to the poll, and asks in its first moment. polykeep is told of no limit.',
      ].join('\n'),
      tables: [lagTable(found), costTable(phases)],
      targets: bench.quick ? [] : targetsOf(found),
      notes: [
        'What polykeep finds out by itself takes it as long as on any day: that PolyAI is back up to a minute, that a limit is gone up to 75 s. Here that is up to three hours.',
        `Over the whole day: ${totals(day)}.`,
        ...(unsettled > 0 ? [`${unsettled} calls were not settled 90 s after the end of the day.`] : []),
      ],
      lines: linesOf(found),
      rounds: { phases, perHalfHour: linesOf(found).series },
    };
  },
};

async function measure(bench: Bench): Promise<Found> {
  const minutes = bench.quick ? QUICK_MINUTES : MINUTES;
  const scale = { hourMs: (minutes * 60_000) / 24, share: bench.quick ? 0.1 : 1 };
  const day = await runDay(bench, scale);
  const calls = new Map(day.calls.map((call) => [call.callSid, call]));
  const inForce = day.phases.map(({ from, phase: { trouble } }) => ({ from, ...trouble }));
  const until = (day.phases.at(-1)?.until ?? 0) + 600_000;
  // After its last phase nothing is wrong any more.
  const end = { from: day.phases.at(-1)?.until ?? 0, limitPerSecond: null, failing: 0 };
  const ideal = idealSightings(day.calls, [...inForce, end], { latencyMs: LATENCY_MS, until });
  const seen = day.commits.map(({ callSid, status, committedAt }) => ({ callSid, status, at: committedAt }));
  return { day, scale, lags: lagsOf(calls, seen), ideal: lagsOf(calls, ideal) };
}

interface PhaseLags {
  passed: Passed;
  ours: Summary;
  ideal: Summary;
}

function perPhase({ day, lags, ideal }: Found): PhaseLags[] {
  return day.phases.map((passed) => ({
    passed,
    ours: summaryOf(lags, passed.from, passed.until),
    ideal: summaryOf(ideal, passed.from, passed.until),
  }));
}

function lagTable(found: Found): Table {
  return {
    head: [
      'from, phase',
      'placed',
      'changes',
      'lag p50 s',
      'ideal',
      'ratio',
      'lag p99 s',
      'ideal',
      'accepted/s',
    ],
    rows: perPhase(found).map(({ passed, ours, ideal }) => [
      `${clock(passed.phase.fromHour)} ${passed.phase.name}`,
      passed.placed,
      ours.changes,
      seconds(ours.p50),
      seconds(ideal.p50),
      round(ours.p50 / ideal.p50),
      seconds(ours.p99),
      seconds(ideal.p99),
      round(acceptedPerSecond(passed)),
    ]),
  };
}

function costTable(phases: readonly Passed[]): Table {
  return {
    head: [
      'from, phase',
      'polls/s',
      'refused %',
      'worker, of a core',
      'api',
      'Postgres',
      'Redis',
      'WAL KB/s',
    ],
    rows: phases.map((passed) => {
      const { phase, from, until, polls, refused, worker, api, postgres, redis, walBytes } = passed;
      const share = (spent: number) => `${round((100 * spent * 1000) / (until - from))} %`;
      return [
        `${clock(phase.fromHour)} ${phase.name}`,
        round(perSecond(passed, polls)),
        round((100 * refused) / polls),
        share(worker),
        share(api),
        share(postgres),
        share(redis),
        round(perSecond(passed, walBytes) / 1024),
      ];
    }),
  };
}

function totals({ calls, phases }: Day): string {
  const sum = (value: (passed: Passed) => number) =>
    phases.reduce((total, passed) => total + value(passed), 0);
  const each = (value: number) => round(value / calls.length);
  return [
    `${each(sum(({ polls }) => polls))} polls per call`,
    `${each(1e3 * sum(({ worker }) => worker))} ms of CPU per call in the worker`,
    `${each(1e3 * sum(({ api }) => api))} ms in the api`,
    `${each(1e3 * sum(({ postgres }) => postgres))} ms in Postgres`,
    `${each(1e3 * sum(({ redis }) => redis))} ms in Redis`,
    `${each(sum(({ walBytes }) => walBytes) / 1024)} KB of write-ahead log per call`,
  ].join(', ');
}

function targetsOf(found: Found): Target[] {
  return perPhase(found).flatMap(({ passed, ours, ideal }) => {
    const { name, trouble } = passed.phase;
    const ratio = atMost(`a day, ${name}: lag p50 to the ideal`, 1.15, ours.p50 / ideal.p50);
    if (trouble.limitPerSecond === null) return isAfterTrouble(passed) ? [] : [ratio];
    const accepted = acceptedPerSecond(passed) / trouble.limitPerSecond;
    return [ratio, atLeast(`a day, ${name}: accepted of it`, 0.9, accepted)];
  });
}

/** Its changes wait for what was wrong before, and for polykeep to find out that it is over. */
function isAfterTrouble({ phase }: Passed): boolean {
  const before = PROGRAMME.filter(({ untilHour }) => untilHour <= phase.fromHour);
  return phase.trouble.failing === 1 || before.some(({ trouble }) => trouble.failing === 1);
}

function linesOf({ day, scale, lags, ideal }: Found): Lines {
  const from = day.phases[0]?.from ?? 0;
  const series = (of: readonly Lag[], read: (summary: Summary) => number) =>
    Array.from({ length: 24 / BUCKET_HOURS }, (_, index) => index * BUCKET_HOURS).flatMap((hour) => {
      const at = (hours: number) => from + hours * scale.hourMs;
      const value = read(summaryOf(of, at(hour), at(hour + BUCKET_HOURS))) / 1000;
      const point: [number, number] = [hour + BUCKET_HOURS / 2, value];
      return Number.isNaN(value) ? [] : [point];
    });
  return {
    title: 'From a change at PolyAI to its commit, over a day',
    unit: 's',
    ticks: TICKS,
    bands: day.phases.map(({ phase: { name, fromHour, untilHour } }) => ({
      from: fromHour,
      until: untilHour,
      label: name,
    })),
    series: [
      { label: 'polykeep, p50', ours: true, isFaint: false, points: series(lags, ({ p50 }) => p50) },
      { label: 'p99', ours: true, isFaint: true, points: series(lags, ({ p99 }) => p99) },
      { label: 'ideal poller, p50', ours: false, isFaint: false, points: series(ideal, ({ p50 }) => p50) },
      { label: 'p99', ours: false, isFaint: true, points: series(ideal, ({ p99 }) => p99) },
    ],
  };
}

function acceptedPerSecond(passed: Passed): number {
  return perSecond(passed, passed.polls - passed.refused);
}

function perSecond({ from, until }: Passed, value: number): number {
  return (value * 1000) / (until - from);
}

function seconds(ms: number): number {
  return round(ms / 1000);
}

function clock(hour: number): string {
  return `${Math.floor(hour)}:${hour % 1 === 0 ? '00' : '30'}`;
}
