import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { client } from '../support/client.ts';
import { type CollectedSpan, type Collector, startCollector } from '../support/collector.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { installPacked, pack } from '../support/packed.ts';
import { FAST, type SidecarProcess, spawnSidecar } from '../support/sidecar.ts';
import { installTracing } from '../support/tracing.ts';

/** The tarball of `npm pack` with OpenTelemetry beside it, as docs/operations.md says, and a collector of ours. */

const SERVER = 2;
/** What takes a moment, so that it is polled more than once. */
const LIFE = [
  { status: 'queued', forMs: 1_000 },
  { status: 'calling', forMs: 1_000 },
  { status: 'success', forMs: Infinity },
];

let folder: string;
let installed: string;
let collector: Collector;
let simulator: Simulator;
let database: TestDatabase;
let sidecar: SidecarProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'polykeep-traces-'));
  installed = join(folder, 'empty');
  await installPacked(await pack(folder), installed);
  await installTracing(installed);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

beforeEach(async () => {
  [collector, simulator, database] = await Promise.all([
    startCollector(),
    startSimulator(),
    createDatabase(),
  ]);
});

afterEach(async () => {
  await sidecar.end('SIGTERM');
  await Promise.all([collector.stop(), simulator.stop(), database.drop()]);
});

async function serve(environment: Record<string, string> = {}): Promise<ReturnType<typeof client>> {
  const settings = {
    ...FAST,
    NODE_OPTIONS: '--import @opentelemetry/auto-instrumentations-node/register',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_LOGS_EXPORTER: 'none',
    OTEL_NODE_RESOURCE_DETECTORS: 'env,host,os,process',
    OTEL_BSP_SCHEDULE_DELAY: '100',
    POLYAI_BASE_URL: simulator.url,
    DATABASE_URL: database.url,
    ...environment,
  };
  const main = join(installed, 'node_modules/polykeep/dist/main.js');
  sidecar = spawnSidecar(settings, 'serve', main, installed);
  return client(await sidecar.url());
}

/** Registers a call and waits for its end, while somebody listens. Then all spans are there of what was done before. */
async function followed(api: ReturnType<typeof client>): Promise<void> {
  const listening = new AbortController();
  const stream = await fetch(`${await sidecar.url()}/v1/transitions`, {
    headers: { accept: 'text/event-stream' },
    signal: listening.signal,
  });
  const callSid = simulator.place({ script: LIFE });
  expect((await api.register(callSid)).status).toBe(201);
  expect(await api.get(`/v1/calls/${callSid}?wait=60`)).toMatchObject({ outcome: 'success' });
  for await (const events of stream.body ?? []) if (Buffer.from(events).includes('"success"')) break;
  listening.abort();
  await api.get('/v1/accounts-of-nobody');
  await expect.poll(() => collector.spans.some(({ by, name }) => by === 'http' && name === 'GET')).toBe(true);
}

/** The spans of the first request of that name: its own, and those of what it asked for. */
async function trace(name: string): Promise<{ request: CollectedSpan; children: CollectedSpan[] }> {
  const of = () => collector.spans.find((span) => span.name === name);
  await expect.poll(of).toBeDefined();
  const request = of();
  if (request === undefined) throw new Error(`there is no span ${name}`);
  const children = collector.spans.filter((span) => span.traceId === request.traceId && span !== request);
  return { request, children };
}

const countBy = (spans: readonly CollectedSpan[], by: string) =>
  spans.filter((span) => span.by === by).length;

describe.each([
  ['with Redis', () => ({ REDIS_URL: inject('redisUrl') }), ['ioredis', 'pg']],
  ['with the queue in the process', () => ({}), ['pg']],
])('%s', (_, queue, asked) => {
  it('a request is a trace with what it asked for, and polykeep makes none by itself', async () => {
    await followed(await serve(queue()));
    const registered = await trace('POST /v1/calls');
    expect(registered.request).toMatchObject({ by: 'http', kind: SERVER });
    expect(registered.children.map(({ by }) => by)).toEqual(expect.arrayContaining(asked));
    const read = await trace('GET /v1/calls/:callSid');
    expect(read.children.map(({ by }) => by)).toContain('pg');
    const listened = await trace('GET /v1/transitions');
    // The first page, maybe over a new connection. What is read for all who listen is no part of the request that was
    // the first to.
    expect(listened.children.filter(({ name }) => name.includes('pg.query')).length).toBeLessThan(3);

    expect(simulator.journal.total).toBeGreaterThan(2);
    const requests = new Set(
      collector.spans.filter(({ kind }) => kind === SERVER).map((span) => span.traceId),
    );
    expect(collector.spans.filter(({ traceId }) => !requests.has(traceId))).toEqual([]);
    expect(countBy(collector.spans, 'undici')).toBe(0);
  });

  it('polls have spans where they are asked for, which are no part of a request', async () => {
    await followed(await serve({ ...queue(), TRACE_BACKGROUND: 'true' }));
    const { children } = await trace('POST /v1/calls');
    expect(children.map(({ by }) => by)).toEqual(expect.arrayContaining(asked));
    expect(countBy(children, 'undici')).toBe(0);
    expect(countBy(collector.spans, 'undici')).toBeGreaterThan(2);
  });
});
