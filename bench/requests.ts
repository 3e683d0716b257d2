import { Client } from 'pg';
import { Pool } from 'undici';
import { callCursor, type FeedPosition, feedCursor, type Position } from '../src/archive/read/cursors.ts';
import { quantile } from './quantile.ts';

/** One kind of request, whose paths are asked for in turn. */
export interface Case {
  name: string;
  paths: readonly string[];
  /** Requests of this kind at a time; each is measured. */
  concurrencies: readonly number[];
}

export interface Measured {
  name: string;
  concurrency: number;
  /** Requests of each round. */
  requests: number;
  /** Milliseconds; median of the rounds. */
  p50: number;
  p99: number;
  bareP50: number;
  bareP99: number;
  /** Median of each round's ratio to the bare route. */
  ratio50: number;
  ratio99: number;
}

const DAY_MS = 86_400_000;
const PATHS = 2_000;
const ROUND_MS = 2_000;
const WARM_UP_MS = 500;
/** A slow request is asked so often all the same. */
const LEAST_REQUESTS = 5;
const MOST_REQUESTS = 5_000;

/** What the archive is asked, all over it: `bench/seed.ts` has made it. */
export async function casesFor(databaseUrl: string): Promise<Case[]> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  const sample = async <Row extends object>(columns: string, table: string) => {
    const text = `select ${columns} from ${table} tablesample bernoulli (1) order by random() limit ${PATHS}`;
    return (await client.query<Row>(text)).rows;
  };
  const calls = await sample<{ call_sid: string }>('call_sid', 'polykeep_internal.calls');
  const positions = await sample<Position>(
    'registered_at as "registeredAt", id::text',
    'polykeep_internal.calls',
  );
  const seen = await sample<FeedPosition>(
    'xid::text, call_id as "callId", seq',
    'polykeep_internal.transitions',
  );
  await client.end();
  const cursors = seen.map((position) => feedCursor.encode(position));
  const failures = (campaign: string) => `/v1/calls?outcome=failure&metadata.campaign=${campaign}&limit=100`;
  const since = (days: number) => new Date(Date.now() - days * DAY_MS).toISOString();
  const bySixteen = [1, 16];
  // The sidecar has two connections for statistics.
  const byTwo = [1, 2];
  return [
    {
      name: 'one call',
      paths: calls.map(({ call_sid }) => `/v1/calls/${call_sid}`),
      concurrencies: bySixteen,
    },
    { name: 'page, newest', paths: ['/v1/calls?limit=100'], concurrencies: bySixteen },
    {
      name: 'page, from a cursor on',
      paths: positions.map((position) => `/v1/calls?limit=100&cursor=${callCursor.encode(position)}`),
      concurrencies: bySixteen,
    },
    { name: 'page, newest 1000', paths: ['/v1/calls?limit=1000'], concurrencies: bySixteen },
    { name: 'page: failure, campaign often', paths: [failures('always-1')], concurrencies: bySixteen },
    { name: 'page: failure, campaign seldom', paths: [failures('always-9')], concurrencies: bySixteen },
    { name: 'page: failure, campaign long ago', paths: [failures('season-11')], concurrencies: bySixteen },
    {
      name: 'page: account, registeredFrom',
      paths: [1, 7, 30, 80].map((days) => `/v1/calls?account=emea&registeredFrom=${since(days)}&limit=100`),
      concurrencies: bySixteen,
    },
    {
      name: 'page: callSidPrefix',
      paths: calls.map(({ call_sid }) => `/v1/calls?callSidPrefix=${call_sid.slice(0, 12)}&limit=100`),
      concurrencies: bySixteen,
    },
    {
      name: 'page: reason, of none',
      paths: ['/v1/calls?reason=never%20given&limit=100'],
      concurrencies: bySixteen,
    },
    {
      name: 'page: settled in an hour',
      paths: [1, 7, 30, 80].map(
        (days) => `/v1/calls?settledFrom=${since(days)}&settledTo=${since(days - 1 / 24)}&limit=100`,
      ),
      concurrencies: bySixteen,
    },
    {
      name: 'feed, limit 100',
      paths: cursors.map((after) => `/v1/transitions?after=${after}&limit=100`),
      concurrencies: bySixteen,
    },
    {
      name: 'feed, limit 1000',
      paths: cursors.map((after) => `/v1/transitions?after=${after}&limit=1000`),
      concurrencies: bySixteen,
    },
    { name: 'stats, 30 days', paths: ['/v1/stats?bucket=day'], concurrencies: byTwo },
    // At 10,000,000 calls: p50 of the first 100 ms at most, of the next three 300 ms.
    {
      name: 'stats, 30 days, by campaign',
      paths: ['/v1/stats?bucket=day&groupBy=metadata.campaign'],
      concurrencies: byTwo,
    },
    {
      name: 'stats, a year by week',
      paths: [`/v1/stats?bucket=week&registeredFrom=${since(365)}`],
      concurrencies: byTwo,
    },
    {
      name: 'stats, 30 days, Los Angeles',
      paths: ['/v1/stats?bucket=day&timezone=America/Los_Angeles'],
      concurrencies: byTwo,
    },
    {
      name: 'stats, 7 days, one customer',
      paths: [`/v1/stats?bucket=day&metadata.customer=C-1&registeredFrom=${since(7)}`],
      concurrencies: byTwo,
    },
  ];
}

/** Each case right after the bare route at the same concurrency, all of them in every round. */
export async function measure(
  cases: readonly Case[],
  { sidecarUrl, bareUrl, rounds }: { sidecarUrl: string; bareUrl: string; rounds: number },
): Promise<Measured[]> {
  const runs = cases.flatMap((kind) => kind.concurrencies.map((concurrency) => ({ ...kind, concurrency })));
  const taken: { bare: number[]; times: number[] }[][] = runs.map(() => []);
  // The first round warms both up, and is not counted.
  for (let round = 0; round <= rounds; round++) {
    for (const [index, { paths, concurrency }] of runs.entries()) {
      const bare = await ask(bareUrl, ['/'], concurrency, { forMs: ROUND_MS / 2, least: 1 });
      const times = await ask(sidecarUrl, paths, concurrency, {
        forMs: round === 0 ? WARM_UP_MS : ROUND_MS,
        least: round === 0 ? 1 : LEAST_REQUESTS,
      });
      if (round > 0) taken[index]?.push({ bare, times });
    }
  }
  return runs.map(({ name, concurrency }, index) => summary(name, concurrency, taken[index] ?? []));
}

/** Milliseconds of each request. Throws `RefusedError` where one is not answered with 200. */
export async function ask(
  url: string,
  paths: readonly string[],
  concurrency: number,
  { forMs, least }: { forMs: number; least: number },
): Promise<number[]> {
  const pool = new Pool(url, { connections: concurrency, pipelining: 1 });
  const times: number[] = [];
  const until = performance.now() + forMs;
  let next = Math.floor(Math.random() * paths.length);
  async function client(): Promise<void> {
    while (times.length < least || (performance.now() < until && times.length < MOST_REQUESTS)) {
      const path = paths[next++ % paths.length] ?? '/';
      const from = performance.now();
      const { statusCode, body } = await pool.request({ method: 'GET', path });
      await body.arrayBuffer();
      if (statusCode !== 200) throw new RefusedError(path, statusCode);
      times.push(performance.now() - from);
    }
  }
  await Promise.all(Array.from({ length: concurrency }, client));
  await pool.close();
  return times;
}

function summary(
  name: string,
  concurrency: number,
  rounds: readonly { bare: number[]; times: number[] }[],
): Measured {
  const over = (value: (round: { bare: number[]; times: number[] }) => number) =>
    quantile(rounds.map(value), 0.5);
  return {
    name,
    concurrency,
    requests: Math.min(...rounds.map(({ times }) => times.length)),
    p50: over(({ times }) => quantile(times, 0.5)),
    p99: over(({ times }) => quantile(times, 0.99)),
    bareP50: over(({ bare }) => quantile(bare, 0.5)),
    bareP99: over(({ bare }) => quantile(bare, 0.99)),
    ratio50: over(({ bare, times }) => quantile(times, 0.5) / quantile(bare, 0.5)),
    ratio99: over(({ bare, times }) => quantile(times, 0.99) / quantile(bare, 0.99)),
  };
}

export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly code = 'refused';

  constructor(path: string, statusCode: number) {
    super(`${path}: ${statusCode}`);
  }
}
