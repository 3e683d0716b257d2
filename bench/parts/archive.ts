import { fileURLToPath } from 'node:url';
import { startApi } from '../api-process.ts';
import { startBare } from '../bare-process.ts';
import type { Bench } from '../bench.ts';
import { archiveSizes, fillArchive, type Sizes } from '../large-archive.ts';
import { atLeast, atMost, type Part, round, type Table } from '../part.ts';
import { median, quantile } from '../quantile.ts';
import { ask, type Case, casesFor, RefusedError } from '../requests.ts';
import { measureWrites, type WriteRates } from '../write.ts';

const BARE = fileURLToPath(new URL('../bare.ts', import.meta.url));
const CALLS = 300_000;
const QUICK_CALLS = 2_000;
const WRITTEN = { calls: 20_000, single: 1_500 };
const QUICK_WRITTEN = { calls: 500, single: 50 };
const AT_ONCE = 16;
/** V8 optimizes what a request takes for some seconds of requests: of a server that is up these are long over. */
const WARM_UP_ROUNDS = 2;
const FOR_MS = 1_500;
const QUICK_FOR_MS = 300;
const ONE_CALL = 'one call';
const PAGE = 'page: failure, campaign often';
const SHOWN = [ONE_CALL, PAGE, 'feed, limit 100', 'feed, limit 1000', 'stats, 30 days'];

/** What one round has shown of a kind of request, each alone and several at a time. */
interface Reads {
  name: string;
  p50: number;
  p99: number;
  perSecond: number;
}

const BARE_SELECT = 'bare route, the same select';

/** Writing to the archive, and reading a large one. */
export const archive: Part = {
  name: 'archive',
  async run(bench) {
    const writes = await measureAllWrites(bench);
    const { reads, sizes } = await measureLarge(bench);
    const total = sizes.relations.reduce((sum, { bytes }) => sum + bytes, 0) / sizes.calls;
    const of = (name: string, value: (reads: Reads) => number) =>
      median(reads.map((round) => value(round.find((one) => one.name === name) ?? nothing(name))));
    const ratio = (value: (rates: WriteRates) => number) => median(writes.map(value));
    return {
      title: 'Archive',
      text: [
        `Writes: the three transitions of ${WRITTEN.calls} calls, of which as many report at a time as wait in a busy worker,`,
        'through the batched writer; the same transitions by one `COPY` into their table, which leaves the calls as they',
        'are; and by one statement for each transition over ten connections, which people write first.',
        `Reads: of ${sizes.calls} calls, through an \`api\` process, one at a time`,
        `(p50, p99) and ${AT_ONCE} at a time, statistics 2 (requests per second); what polykeep gave up takes ∞. \`BENCH_ARCHIVE=postgres://…\` reads an archive that`,
        '`bench/seed.ts --calls 10000000` has made.',
      ].join('\n'),
      tables: [writeTable(writes), readTable(of), sizeTable(sizes, total)],
      targets: [
        atLeast(
          'writer / COPY',
          0.5,
          ratio(({ writer, copy }) => writer / copy),
        ),
        atLeast(
          'writer / single upserts',
          10,
          ratio(({ writer, singles }) => writer / singles),
        ),
        atLeast(
          'one call: requests / those of the bare route',
          0.8,
          of(ONE_CALL, ({ perSecond }) => perSecond) / of(BARE_SELECT, ({ perSecond }) => perSecond),
        ),
        atMost('page p99 / one call p99', 3, of(PAGE, ({ p99 }) => p99) / of(ONE_CALL, ({ p99 }) => p99)),
        atMost('bytes per call of three transitions', 700, total),
      ],
      notes: [],
      rounds: { writes, reads, sizes },
    };
  },
};

async function measureAllWrites(bench: Bench): Promise<WriteRates[]> {
  const rounds: WriteRates[] = [];
  for (let number = 1; number <= bench.rounds; number++) {
    bench.say(`archive: writes, round ${number}`);
    rounds.push(await measureWrites(await bench.database(), bench.quick ? QUICK_WRITTEN : WRITTEN));
  }
  return rounds;
}

async function measureLarge(bench: Bench): Promise<{ reads: Reads[][]; sizes: Sizes }> {
  const given = process.env.BENCH_ARCHIVE;
  const databaseUrl = given ?? (await bench.database());
  const sizes =
    given === undefined
      ? await fillArchive(databaseUrl, bench.quick ? QUICK_CALLS : CALLS, bench.say)
      : await archiveSizes(databaseUrl);
  const api = await startApi(bench, databaseUrl);
  const bare = await startBare(BARE, databaseUrl);
  try {
    const cases = (await casesFor(databaseUrl)).filter(({ name }) => SHOWN.includes(name));
    return { reads: await measureReads(bench, cases, api.url, bare.url), sizes };
  } finally {
    await Promise.all([api.stop(), bare.stop()]);
  }
}

async function measureReads(
  bench: Bench,
  cases: readonly Case[],
  apiUrl: string,
  bareUrl: string,
): Promise<Reads[][]> {
  const oneCall = cases.find(({ name }) => name === ONE_CALL);
  const all = [
    { name: BARE_SELECT, paths: oneCall?.paths ?? [], atOnce: AT_ONCE, url: bareUrl },
    ...cases.map(({ name, paths, concurrencies }) => ({
      name,
      paths,
      atOnce: Math.max(...concurrencies),
      url: apiUrl,
    })),
  ];
  const rounds: Reads[][] = [];
  for (let number = 1; number <= WARM_UP_ROUNDS + bench.rounds; number++) {
    const isWarm = number > WARM_UP_ROUNDS;
    bench.say(`archive: reads, ${isWarm ? `round ${number - WARM_UP_ROUNDS}` : 'to run warm'}`);
    const reads: Reads[] = [];
    for (const one of all) reads.push(await read(bench, one));
    if (isWarm) rounds.push(reads);
  }
  return rounds;
}

async function read(
  { quick, say }: Bench,
  { name, url, paths, atOnce }: { name: string; url: string; paths: readonly string[]; atOnce: number },
): Promise<Reads> {
  const forMs = quick ? QUICK_FOR_MS : FOR_MS;
  try {
    const alone = await ask(url, paths, 1, { forMs, least: 3 });
    const from = performance.now();
    const together = await ask(url, paths, atOnce, { forMs, least: 3 });
    const perSecond = together.length / ((performance.now() - from) / 1000);
    return { name, p50: quantile(alone, 0.5), p99: quantile(alone, 0.99), perSecond };
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    // What takes longer than 30 s is given up by polykeep: that too is a result.
    say(`archive: ${error.message}`);
    return { name, p50: Number.POSITIVE_INFINITY, p99: Number.POSITIVE_INFINITY, perSecond: 0 };
  }
}

function nothing(name: string): Reads {
  return { name, p50: Number.NaN, p99: Number.NaN, perSecond: Number.NaN };
}

function writeTable(writes: readonly WriteRates[]): Table {
  const of = (value: (rates: WriteRates) => number) => round(median(writes.map(value)));
  return {
    head: ['written by', 'transitions/s'],
    rows: [
      ['COPY', of(({ copy }) => copy)],
      ['polykeep’s writer', of(({ writer }) => writer)],
      ['single upserts', of(({ singles }) => singles)],
    ],
  };
}

function readTable(of: (name: string, value: (reads: Reads) => number) => number): Table {
  return {
    head: ['request', 'p50 ms', 'p99 ms', 'per second'],
    rows: [BARE_SELECT, ...SHOWN].map((name) => [
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

function sizeTable({ calls, relations }: Sizes, total: number): Table {
  return {
    head: ['on disk', 'bytes per call'],
    rows: [
      ...relations.map(({ name, bytes }) => [`\`${name}\``, round(bytes / calls)]),
      ['all', round(total)],
    ],
  };
}
