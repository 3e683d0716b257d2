import type { Bench } from '../bench.ts';
import { atLeast, atMost, type Part, round, type Section, shown, type Target } from '../part.ts';
import { CALLS } from '../polling/calls.ts';
import type { Candidate } from '../polling/candidate.ts';
import { candidatesOf } from '../polling/candidates.ts';
import { type Measured, measure, type Times } from '../polling/measure.ts';
import { startPeer } from '../polling/peer.ts';
import { ratio } from '../polling/ratio.ts';
import { median } from '../quantile.ts';

type Round = Record<string, Measured>;

/** A core that is busier than this has no time left to answer sooner. */
const BUSY = 0.9;

/** Polls per second and CPU per poll, beside a bare loop and beside what people would write instead. */
export const polling: Part = {
  name: 'polling',
  async run(bench) {
    const times = bench.quick ? { warmUpMs: 500, windowMs: 1_000 } : { warmUpMs: 1_500, windowMs: 3_000 };
    const candidates = candidatesOf(bench);
    const ceiling = await measure(flood(bench), times);
    const rounds: Round[] = [];
    for (let n = 1; n <= bench.rounds; n++) rounds.push(await oneRound(bench, candidates, times, n));
    return section(candidates, rounds, ceiling, times);
  },
};

async function oneRound(
  bench: Bench,
  candidates: readonly Candidate[],
  times: Times,
  n: number,
): Promise<Round> {
  const measured: Round = {};
  for (const candidate of candidates) {
    const result = await measure(candidate, times);
    measured[candidate.letter] = result;
    bench.say(`polling ${n}: ${candidate.name}: ${Math.round(result.perSecond)} polls/s`);
  }
  return measured;
}

function flood(bench: Bench): Candidate {
  const start = () => startPeer(bench, 'flood', { size: 64, stores: [] });
  return { letter: '', name: 'flood', ours: false, settings: '', lacks: '', start };
}

function section(
  candidates: readonly Candidate[],
  rounds: readonly Round[],
  ceiling: Measured,
  { warmUpMs, windowMs }: Times,
): Section {
  const rows = candidates.map(({ letter, name }) => row(`(${letter}) ${name}`, rounds, letter));
  return {
    title: 'Polling',
    text: `${CALLS.toLocaleString('en-GB')} calls live through queued, calling and success while they are polled as fast as it goes, once all of them are followed: ${seconds(warmUpMs)} to run warm, and a window of ${seconds(windowMs)}. CPU is what each process takes of it, Postgres with all its backends.`,
    tables: [
      {
        head: [
          'candidate',
          'polls/s',
          'of (a)',
          'µs CPU per poll: own',
          'Redis',
          'Postgres',
          'upstream, of a core',
        ],
        rows,
      },
    ],
    targets: targetsOf(rounds),
    notes: [
      ...candidates.map(
        ({ letter, settings, lacks }) =>
          `(${letter}): ${settings}.${lacks === '' ? '' : ` What it lacks: ${lacks}.`}`,
      ),
      upstreamNote(rows, ceiling),
    ],
    bars: {
      title: 'Status polls per second',
      unit: 'more is better',
      bars: candidates.map(({ letter, name, ours }) => ({
        label: name,
        value: over(rounds, (round) => round[letter]?.perSecond),
        ours,
      })),
    },
    rounds,
  };
}

function row(label: string, rounds: readonly Round[], letter: string): (string | number)[] {
  const value = (read: (measured: Measured) => number) =>
    over(rounds, (round) => {
      const measured = round[letter];
      return measured && read(measured);
    });
  return [
    label,
    Math.round(value(({ perSecond }) => perSecond)),
    shown(ratio(rounds, [letter, 'a'], ({ perSecond }) => perSecond)),
    round(value(({ own }) => own)),
    round(value(({ redis }) => redis)),
    round(value(({ postgres }) => postgres)),
    `${Math.round(100 * value(({ upstreamShare }) => upstreamShare))} %`,
  ];
}

function targetsOf(rounds: readonly Round[]): Target[] {
  const perSecond = (one: string, other: string) => ratio(rounds, [one, other], (of) => of.perSecond);
  const cpu = ratio(rounds, ['b', 'a'], ({ own }) => own);
  return [
    atLeast('polls/s, (b) to (a)', 0.85, perSecond('b', 'a')),
    atMost("CPU per poll of the sidecar, (b) to (a)'s", 1.2, cpu),
    atLeast('polls/s, (c) to (b)', 0.95, perSecond('c', 'b')),
    atLeast('polls/s, (b) to (d)', 4, perSecond('b', 'd')),
    atLeast('polls/s, (b) to (e)', 4, perSecond('b', 'e')),
    atLeast('polls/s, (b) to (f) graphile-worker', 8, perSecond('b', 'f1')),
    atLeast('polls/s, (b) to (f) pg-boss', 8, perSecond('b', 'f2')),
  ];
}

function upstreamNote(rows: readonly (string | number)[][], ceiling: Measured): string {
  const busy = rows
    .filter((row) => Number.parseInt(`${row.at(-1)}`, 10) > 100 * BUSY)
    .map(([label]) => label);
  const found = busy.length === 0 ? 'it held none of them up' : `it may have held up ${busy.join(', ')}`;
  const most = Math.round(ceiling.perSecond).toLocaleString('en-GB');
  return `The upstream answers ${most} polls/s to bare sockets, at ${Math.round(100 * ceiling.upstreamShare)} % of a core and ${round(ceiling.upstream)} µs each; a candidate that leaves it less than ${100 - 100 * BUSY} % of a core idle would be held up by it: ${found}.`;
}

function over(rounds: readonly Round[], read: (round: Round) => number | undefined): number {
  return median(rounds.map((round) => read(round) ?? Number.NaN));
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}
