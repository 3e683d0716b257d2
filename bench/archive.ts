import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { spawnSidecar } from '../test/support/sidecar.ts';
import { startBare } from './bare-process.ts';
import { exportByCommand, exportByRequest } from './exports.ts';
import { measureLargeAnswers } from './large-answers.ts';
import { casesFor, type Measured, measure } from './requests.ts';

/**
 * How fast a large archive answers, beside a bare `select 1` route on the same Postgres, and what its export takes:
 * `DATABASE_URL=... node bench/archive.ts [--part requests] [--part exports] [--rounds 3]`, on what `bench/seed.ts` has
 * made. `--case WORD` measures only the requests that have the word in their name.
 */
const { values } = parseArgs({
  options: {
    part: { type: 'string', multiple: true, default: ['requests', 'exports'] },
    rounds: { type: 'string', default: '3' },
    case: { type: 'string', default: '' },
  },
});
const PAGES_FOR_MS = 3_000;
const databaseUrl = process.env.DATABASE_URL;
if (databaseUrl === undefined) throw new Error('DATABASE_URL: the archive that bench/seed.ts has made');
const folder = await mkdtemp(join(tmpdir(), 'polykeep-bench-'));
/** The few calls that are still followed are asked of nobody, and seldom: what is measured is reading. */
const environment = {
  DATABASE_URL: databaseUrl,
  DATA_DIR: folder,
  POLYAI_AUTH_TOKEN: 'bench-asks-nobody',
  POLYAI_BASE_URL: 'http://127.0.0.1:9',
  POLL_INTERVAL_MIN_MS: '600000',
  POLL_INTERVAL_MAX_MS: '600000',
  POLL_BACKOFF_MAX_MS: '600000',
  PORT: '0',
  API_MAX_REQUESTS_PER_SECOND: '1000000',
};

try {
  console.log(await describeMachine(databaseUrl));
  if (values.part.includes('requests')) await requests(databaseUrl);
  if (values.part.includes('exports')) await exports();
} finally {
  await rm(folder, { recursive: true });
}

async function requests(databaseUrl: string): Promise<void> {
  const cases = (await casesFor(databaseUrl)).filter(({ name }) => name.includes(values.case));
  const bare = await startBare(join(import.meta.dirname, 'bare.ts'), databaseUrl);
  const sidecar = spawnSidecar(environment);
  try {
    const sidecarUrl = await sidecar.url();
    const measured = await measure(cases, { sidecarUrl, bareUrl: bare.url, rounds: Number(values.rounds) });
    console.log(requestTable(measured));
  } finally {
    await Promise.all([sidecar.end('SIGTERM'), bare.stop()]);
  }
}

function requestTable(measured: readonly Measured[]): string {
  const head = [
    '| request | at once | n | p50 ms | p99 ms | bare p50 | bare p99 | p50 ratio | p99 ratio |',
    '|---|--:|--:|--:|--:|--:|--:|--:|--:|',
  ];
  const rows = measured.map((row) => {
    const times = [row.p50, row.p99, row.bareP50, row.bareP99].map((ms) => ms.toFixed(2));
    const ratios = [row.ratio50, row.ratio99].map((ratio) => ratio.toFixed(1));
    return `| ${[row.name, row.concurrency, row.requests, ...times, ...ratios].join(' | ')} |`;
  });
  return [...head, ...rows].join('\n');
}

async function exports(): Promise<void> {
  for (const { name, eventLoopP99 } of await measureLargeAnswers(environment, PAGES_FOR_MS)) {
    console.log(`event loop, p99 while it gives ${name}: ${eventLoopP99.toFixed(0)} ms`);
  }
  console.log('| export | rows | MB | seconds | MB resident before | peak | over before |');
  console.log('|---|--:|--:|--:|--:|--:|--:|');
  for (const run of [
    () => exportByRequest('csv', environment, folder),
    () => exportByRequest('ndjson', environment, folder),
    () => exportByCommand(environment, folder),
  ]) {
    const { name, rows, megabytes, seconds, before, peak } = await run();
    const rounded = [megabytes, seconds, before, peak, peak - before].map((number) => number.toFixed(0));
    console.log(`| ${[name, rows, ...rounded].join(' | ')} |`);
  }
}

async function describeMachine(databaseUrl: string): Promise<string> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  const { rows } = await client.query<{
    version: string;
    buffers: string;
    calls: string;
    transitions: string;
  }>(`
    select current_setting('server_version') as version, current_setting('shared_buffers') as buffers,
           (select count(*) from polykeep_internal.calls) as calls,
           (select count(*) from polykeep_internal.transitions) as transitions`);
  await client.end();
  const [row] = rows;
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim();
  const processors = cpus();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return [
    `${processors.length} x ${processors[0]?.model}, ${gigabytes} GB; Node ${process.versions.node}`,
    `Postgres ${row?.version}, shared_buffers ${row?.buffers}; polykeep at ${commit}`,
    `${row?.calls} calls, ${row?.transitions} transitions`,
  ].join('\n');
}
