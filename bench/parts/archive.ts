import {
  BARE_CALL,
  BARE_PAGE,
  BEFORE_PAGE,
  measureLarge,
  ONE_CALL,
  PAGE,
  type Reads,
} from '../archive-reads.ts';
import { writersBeside } from '../before.ts';
import type { Bench } from '../bench.ts';
import type { Sizes } from '../large-archive.ts';
import { atLeast, atMost, type Part, round, type Table } from '../part.ts';
import { median, spreadOf } from '../quantile.ts';
import { measureWrites, type Rate, type WriteRates } from '../write.ts';

const WRITTEN = { calls: 20_000, single: 1_500 };
const QUICK_WRITTEN = { calls: 500, single: 50 };

/** Writing to the archive, and reading a large one. */
export const archive: Part = {
  name: 'archive',
  async run(bench) {
    const writes = await measureAllWrites(bench);
    const beside = await measureBeside(bench);
    const { reads, sizes, large } = await measureLarge(bench);
    const total = sum(sizes.relations) / sizes.calls;
    const ofRollups = sum(sizes.relations.filter(({ name }) => name.startsWith('rollup'))) / sizes.calls;
    const inRound = (round: readonly Reads[], name: string) =>
      round.find((one) => one.name === name) ?? nothing(name);
    const of = (name: string, value: (reads: Reads) => number) =>
      median(reads.map((round) => value(inRound(round, name))));
    const faster = (name: string, than: string) =>
      spreadOf(reads.map((round) => inRound(round, name).perSecond / inRound(round, than).perSecond));
    const shown = reads[0]?.map(({ name }) => name) ?? [];
    const ratio = (value: (rates: WriteRates) => number) => spreadOf(writes.map(value));
    return {
      title: 'Archive',
      text: [
        `Writes: the three transitions of ${WRITTEN.calls} calls, of which as many report at a time as wait in a busy worker,`,
        'through the batched writer; the same transitions by one `COPY` into their table, which leaves the calls as they',
        'are; and by one statement for each transition over ten connections, which people write first.',
        `Reads: of ${sizes.calls} calls, through an \`api\` process, one at a time`,
        `(p50, p99) and 16 at a time, statistics 2 (requests per second); the bare routes pass on JSON that Postgres makes, as PostgREST does, and check
no key, no parameter and no limit. Of a newest page that is asked for again, polykeep has Postgres write what has
changed alone, here nothing; of one from a cursor on it has all of it written. What polykeep gave up takes ∞. \`BENCH_ARCHIVE=postgres://…\` reads an archive that`,
        '`bench/seed.ts --calls 10000000` has made; `BENCH_BEFORE=FOLDER` measures an older checkout beside it.',
      ].join('\n'),
      tables: [writeTable(writes), readTable(shown, of), sizeTable(sizes, total)],
      targets: [
        atLeast(
          'writer / COPY',
          0.5,
          ratio(({ writer, copy }) => writer.perSecond / copy.perSecond),
        ),
        atLeast(
          'writer / single upserts',
          10,
          ratio(({ writer, singles }) => writer.perSecond / singles.perSecond),
        ),
        ...(beside.length === 0
          ? []
          : [
              atLeast(
                'writer / writer of before',
                1.5,
                spreadOf(beside.map(({ before, now }) => now / before)),
              ),
            ]),
        atLeast('one call: requests / those of the bare route', 0.85, faster(ONE_CALL, BARE_CALL)),
        atLeast('page of 100: requests / those of the bare route', 0.8, faster(PAGE, BARE_PAGE)),
        ...(shown.includes(BEFORE_PAGE)
          ? [atLeast('page of 100: requests / those of before', 3, faster(PAGE, BEFORE_PAGE))]
          : []),
        ...large.map(({ name, eventLoopP99 }) =>
          atMost(`event loop p99 during ${name}`, 50, eventLoopP99, ' ms'),
        ),
        atMost('bytes per call of three transitions, without rollups', 700, total - ofRollups),
      ],
      notes: [],
      rounds: { writes, beside, reads, sizes, large },
    };
  },
};

async function measureAllWrites(bench: Bench): Promise<WriteRates[]> {
  const rounds: WriteRates[] = [];
  const { pid: postgresPid } = await bench.postgres();
  for (let number = 1; number <= bench.rounds; number++) {
    bench.say(`archive: writes, round ${number}`);
    rounds.push(
      await measureWrites(await bench.database(), {
        ...(bench.quick ? QUICK_WRITTEN : WRITTEN),
        postgresPid,
      }),
    );
  }
  return rounds;
}

async function measureBeside(bench: Bench) {
  const rounds: { before: number; now: number }[] = [];
  for (let number = 1; number <= bench.rounds; number++) {
    const round = await writersBeside(bench, bench.quick ? QUICK_WRITTEN.calls : WRITTEN.calls);
    if (round !== null) rounds.push(round);
  }
  return rounds;
}

function nothing(name: string): Reads {
  return { name, p50: Number.NaN, p99: Number.NaN, perSecond: Number.NaN };
}

function writeTable(writes: readonly WriteRates[]): Table {
  const row = (name: string, read: (rates: WriteRates) => Rate) => [
    name,
    round(median(writes.map((rates) => read(rates).perSecond))),
    round(1e6 * median(writes.map((rates) => read(rates).cpu))),
  ];
  return {
    head: ['written by', 'transitions/s', 'µs CPU each, with Postgres'],
    rows: [
      row('COPY', ({ copy }) => copy),
      row('polykeep’s writer', ({ writer }) => writer),
      row('single upserts', ({ singles }) => singles),
    ],
  };
}

function readTable(
  names: readonly string[],
  of: (name: string, value: (reads: Reads) => number) => number,
): Table {
  return {
    head: ['request', 'p50 ms', 'p99 ms', 'per second'],
    rows: names.map((name) => [
      name,
      shown(of(name, ({ p50 }) => p50)),
      shown(of(name, ({ p99 }) => p99)),
      round(of(name, ({ perSecond }) => perSecond)),
    ]),
  };
}

/** As text where it has no end, which JSON cannot say. */
function shown(ms: number): number | string {
  return ms === Number.POSITIVE_INFINITY ? '∞' : round(ms);
}

function sum(relations: Sizes['relations']): number {
  return relations.reduce((total, { bytes }) => total + bytes, 0);
}

function sizeTable({ calls, relations }: Sizes, total: number): Table {
  const large = relations.filter(({ bytes }) => bytes >= calls);
  return {
    head: ['on disk', 'bytes per call'],
    rows: [
      ...large.map(({ name, bytes }) => [`\`${name}\``, round(bytes / calls)]),
      ['all that have less than a byte', round((sum(relations) - sum(large)) / calls)],
      ['all', round(total)],
    ],
  };
}
