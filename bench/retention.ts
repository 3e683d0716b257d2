import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { openBench } from './bench.ts';
import { startCrowd } from './crowd.ts';
import { look, type Window } from './crowd-window.ts';
import { endlessCalls } from './lives.ts';
import { plainWay } from './upstream/way.ts';

/**
 * Retention beside calls that are followed: `BENCH_ARCHIVE=postgres://… npx node bench/retention.ts [--days 81]` deletes
 * what is older from an archive that `bench/seed.ts` has made (of its 90 days: a tenth), while one worker follows
 * `--calls` 5000. Prints a line of JSON for each window of 10 s, and one at the end.
 */
const { values } = parseArgs({
  options: { days: { type: 'string', default: '81' }, calls: { type: 'string', default: '5000' } },
});
const databaseUrl = process.env.BENCH_ARCHIVE;
if (databaseUrl === undefined) throw new Error('BENCH_ARCHIVE: the URL of the archive');
const calls = Number(values.calls);
const WINDOW_MS = 10_000;
/** Retention is over when it has deleted nothing for so many windows. */
const QUIET_WINDOWS = 2;

await using bench = await openBench({ quick: false, rounds: 1 });
await using archive = await connect(databaseUrl);
const upstream = await bench.upstream();
await upstream.keepIntervals(true);
const redis = await bench.redis();
const crowd = await startCrowd({
  databaseUrl,
  redisUrl: redis.url,
  way: await plainWay(bench),
  workers: 1,
  callSids: endlessCalls(calls),
  more: { RETENTION_DAYS: values.days },
});
bench.defer(crowd.stop);
const beside = { upstream, redisPid: redis.pid, postgresPid: await archive.serverPid(), idleBytes: 0 };

const before = await archive.deleted();
const during: Window[] = [];
const startedAt = performance.now();
let seconds = 0;
for (let last = before, quiet = 0; quiet < QUIET_WINDOWS; ) {
  const window = await look(crowd, beside, { calls, windowMs: WINDOW_MS });
  const now = await archive.deleted();
  if (now > last) {
    during.push(window);
    seconds = (performance.now() - startedAt) / 1000;
  }
  quiet = now > last || now === before ? 0 : quiet + 1;
  console.log(JSON.stringify({ deleted: now - before, onTime: window.onTime, p99: window.intervalP99 }));
  last = now;
}
const after = await look(crowd, beside, { calls, windowMs: 3 * WINDOW_MS });
const mean = (value: (window: Window) => number) =>
  during.reduce((sum, window) => sum + value(window), 0) / during.length;
console.log(
  JSON.stringify({
    deleted: (await archive.deleted()) - before,
    seconds,
    onTime: mean(({ onTime }) => onTime),
    worstWindow: Math.min(...during.map(({ onTime }) => onTime)),
    onTimeAfterwards: after.onTime,
    deadRows: await archive.deadRows(),
  }),
);
await sleep(60_000);
console.log(JSON.stringify({ deadRowsAMinuteLater: await archive.deadRows() }));

async function connect(url: string) {
  const client = new Client({ connectionString: url });
  await client.connect();
  async function one<Value>(text: string): Promise<Value> {
    const [row] = (await client.query<{ value: Value }>(text)).rows;
    if (row === undefined) throw new Error('no row');
    return row.value;
  }
  const ofTables = `from pg_stat_user_tables where schemaname = 'polykeep_internal'`;
  return {
    deleted: () => one<number>(`select n_tup_del::float8 as value ${ofTables} and relname = 'calls'`),
    deadRows: () =>
      one<object>(
        `select json_object_agg(relname, n_dead_tup) as value ${ofTables} and relname in ('calls', 'transitions')`,
      ),
    async serverPid() {
      const file = await one<string>(`select pg_read_file('postmaster.pid') as value`);
      return Number(file.split('\n')[0]);
    },
    [Symbol.asyncDispose]: () => client.end(),
  };
}
