import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startApi } from '../api-process.ts';
import { type Bare, startBare } from '../bare-process.ts';
import type { Bench } from '../bench.ts';
import { cpuOf, cpuOfTree } from '../cpu.ts';
import { atLeast, type Part, round } from '../part.ts';
import { median, spreadOf } from '../quantile.ts';

const LOAD = fileURLToPath(new URL('../load.ts', import.meta.url));
const BARE_INSERT = fileURLToPath(new URL('../bare-insert.ts', import.meta.url));
const BATCH = 10_000;
const SECONDS = 3;
const QUICK_SECONDS = 1;

const WAYS = [
  { way: 'bare', name: 'bare route, one insert', clients: 64, batch: 0 },
  { way: 'single', name: 'POST /v1/calls', clients: 64, batch: 0 },
  { way: 'batch', name: `POST /v1/calls/batch, ${BATCH} each`, clients: 2, batch: BATCH },
] as const;
type Way = (typeof WAYS)[number]['way'];

interface Load {
  callsPerSecond: number;
  /** Of a request, in milliseconds. */
  p50: number;
  p99: number;
  /** Seconds of CPU for each call: of who answers, and of Postgres with all its backends. */
  cpu: number;
}

type Round = Record<Way, Load>;

const run = promisify(execFile);

/** How many calls can be registered in a second. */
export const intake: Part = {
  name: 'intake',
  async run(bench) {
    bench.say('intake');
    const rounds = await loadsOf(bench, {
      rounds: bench.rounds,
      seconds: bench.quick ? QUICK_SECONDS : SECONDS,
    });
    const of = (way: Way, value: (load: Load) => number) => median(rounds.map((round) => value(round[way])));
    const ratio = (a: Way, b: Way) =>
      spreadOf(rounds.map((round) => round[a].callsPerSecond / round[b].callsPerSecond));
    return {
      title: 'Intake',
      text: [
        'Registrations of new calls, each with one field of metadata, answered by an `api` process over Postgres and Redis; beside',
        'it a bare Fastify route with a schema and one `insert` of the same row into the same table. Each has a load',
        'generator in a process of its own, the same for both.',
      ].join('\n'),
      tables: [
        {
          head: ['way', 'clients', 'calls/s', 'request p50 ms', 'p99 ms', 'µs CPU per call, with Postgres'],
          rows: WAYS.map(({ way, name, clients }) => [
            name,
            clients,
            round(of(way, ({ callsPerSecond }) => callsPerSecond)),
            round(of(way, ({ p50 }) => p50)),
            round(of(way, ({ p99 }) => p99)),
            round(1e6 * of(way, ({ cpu }) => cpu)),
          ]),
        },
      ],
      targets: [
        atLeast('single / bare route', 0.7, ratio('single', 'bare')),
        atLeast('batch / single', 20, ratio('batch', 'single')),
      ],
      notes: [],
      bars: {
        title: 'Registrations',
        unit: 'calls/s',
        bars: WAYS.map(({ way, name }) => ({
          label: name,
          value: of(way, ({ callsPerSecond }) => callsPerSecond),
          ours: way !== 'bare',
        })).sort((a, b) => b.value - a.value),
      },
      rounds,
    };
  },
};

/** Each way in turn, so many rounds of so many seconds. */
export async function loadsOf(
  bench: Bench,
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<Round[]> {
  const databaseUrl = await bench.database();
  const { pid: postgresPid } = await bench.postgres();
  const bare = await startBare(BARE_INSERT, databaseUrl);
  const api = await startApi(bench, databaseUrl);
  try {
    const measured: Round[] = [];
    for (let number = 1; number <= rounds; number++) {
      const load = (way: (typeof WAYS)[number]) =>
        measureOne(way, { server: way.way === 'bare' ? bare : api, postgresPid, seconds });
      const [bareWay, single, batch] = WAYS;
      measured.push({ bare: await load(bareWay), single: await load(single), batch: await load(batch) });
    }
    return measured;
  } finally {
    await Promise.all([api.stop(), bare.stop()]);
  }
}

async function measureOne(
  { clients, batch }: (typeof WAYS)[number],
  { server, postgresPid, seconds }: { server: Bare; postgresPid: number; seconds: number },
): Promise<Load> {
  const spent = async () => (await cpuOf(server.pid)) + (await cpuOfTree(postgresPid));
  const path = batch === 0 ? '/v1/calls' : '/v1/calls/batch';
  const options = { url: server.url, path, clients, batch, seconds };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  const before = await spent();
  const { stdout } = await run(process.execPath, [LOAD, ...args]);
  const load: Omit<Load, 'cpu'> & { calls: number } = JSON.parse(stdout);
  return { ...load, cpu: ((await spent()) - before) / load.calls };
}
