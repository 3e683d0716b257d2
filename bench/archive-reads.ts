import { fileURLToPath } from 'node:url';
import { FAST } from '../test/support/sidecar.ts';
import { startApi } from './api-process.ts';
import { type Bare, startBare } from './bare-process.ts';
import { startBefore } from './before.ts';
import type { Bench } from './bench.ts';
import { type LargeAnswer, measureLargeAnswers } from './large-answers.ts';
import { archiveSizes, fillArchive, type Sizes } from './large-archive.ts';
import { quantile } from './quantile.ts';
import { ask, type Case, casesFor, RefusedError } from './requests.ts';

/** Reading a large archive, each kind of request beside what it is measured against. */

const BARE = fileURLToPath(new URL('./bare.ts', import.meta.url));
const CALLS = 300_000;
const QUICK_CALLS = 2_000;
/** V8 optimizes what a request takes for some seconds of requests: of a server that is up these are long over. */
const WARM_UP_ROUNDS = 2;
const FOR_MS = 1_000;
const QUICK_FOR_MS = 300;
const LARGE_FOR_MS = 3_000;
export const ONE_CALL = 'one call';
export const PAGE = 'page, newest';
/** Each asked for once in a while: nothing of it is known. */
const CURSOR = 'page, from a cursor on';
const CAMPAIGN = 'page: failure, campaign often';
const SHOWN = [ONE_CALL, PAGE, CURSOR, CAMPAIGN, 'feed, limit 100', 'feed, limit 1000', 'stats, 30 days'];
export const BARE_CALL = 'bare route, one call';
export const BARE_PAGE = 'bare route, page';
export const BEFORE_PAGE = 'the page before';

/** What one round has shown of a kind of request, each alone and several at a time. */
export interface Reads {
  name: string;
  p50: number;
  p99: number;
  perSecond: number;
}

export async function measureLarge(
  bench: Bench,
): Promise<{ reads: Reads[][]; sizes: Sizes; large: LargeAnswer[] }> {
  const given = process.env.BENCH_ARCHIVE;
  const databaseUrl = given ?? (await bench.database());
  const sizes =
    given === undefined
      ? await fillArchive(databaseUrl, bench.quick ? QUICK_CALLS : CALLS, bench.say)
      : await archiveSizes(databaseUrl);
  const api = await startApi(bench, databaseUrl);
  const bare = await startBare(BARE, databaseUrl);
  const before = await startBefore(bench, sizes.calls);
  try {
    const cases = (await casesFor(databaseUrl)).filter(({ name }) => SHOWN.includes(name));
    const reads = await measureReads(bench, requestsOf(cases, { api, bare, before }));
    const environment = {
      ...FAST,
      DATABASE_URL: databaseUrl,
      DATA_DIR: bench.folder,
      POLYAI_BASE_URL: 'http://127.0.0.1:9',
    };
    bench.say('archive: large answers');
    return {
      reads,
      sizes,
      large: await measureLargeAnswers(environment, bench.quick ? QUICK_FOR_MS : LARGE_FOR_MS),
    };
  } finally {
    await Promise.all([api.stop(), bare.stop(), before?.stop()]);
  }
}

/** One kind of request, and who is asked. */
interface Asked {
  name: string;
  url: string;
  paths: readonly string[];
  atOnce: number;
}

/** The peers of a request come right before it. */
function requestsOf(
  cases: readonly Case[],
  { api, bare, before }: { api: Bare; bare: Bare; before: Bare | null },
): Asked[] {
  return cases.flatMap(({ name, paths, concurrencies }) => {
    const atOnce = Math.max(...concurrencies);
    const peer = name === ONE_CALL ? BARE_CALL : name === PAGE ? BARE_PAGE : null;
    return [
      ...(peer === null ? [] : [{ name: peer, url: bare.url, paths, atOnce }]),
      ...(name === PAGE && before !== null ? [{ name: BEFORE_PAGE, url: before.url, paths, atOnce }] : []),
      { name, url: api.url, paths, atOnce },
    ];
  });
}

async function measureReads(bench: Bench, all: readonly Asked[]): Promise<Reads[][]> {
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

async function read({ quick, say }: Bench, { name, url, paths, atOnce }: Asked): Promise<Reads> {
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
