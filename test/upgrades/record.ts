import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { request } from 'undici';
import { startEmbeddedPostgres } from '../../src/embedded-postgres/embedded-postgres.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { storeCalls } from '../support/calls.ts';
import { FAST, spawnSidecar } from '../support/sidecar.ts';
import type { SentQuery } from './recorder.ts';
import { recordingOf, writeRecording } from './recording.ts';

/**
 * `npx node test/upgrades/record.ts [TREE]`: runs the polykeep of this tree, or of another, through all that it does,
 * and keeps what it asks of Postgres as the recording of its newest migration.
 */

const tree = resolve(process.argv[2] ?? '.');
const Journal = Type.Object({ entries: Type.Array(Type.Object({ tag: Type.String() })) });
const journal = await readFile(join(tree, 'migrations/meta/_journal.json'), 'utf8');
const level = Value.Parse(Journal, JSON.parse(journal)).entries.at(-1)?.tag ?? '';

await using running = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), 'polykeep-record-'));
running.defer(() => rm(folder, { recursive: true, force: true }));
const postgres = await startEmbeddedPostgres({ dataDir: folder, log: () => {} });
running.defer(() => postgres.stop());
const sql = new Client({ connectionString: postgres.url });
await sql.connect();
running.defer(() => sql.end());
const simulator = await startSimulator({ token: FAST.POLYAI_AUTH_TOKEN, style: 'mid-2026' });
running.defer(() => simulator.stop());
const file = join(folder, 'queries');
const sidecar = spawnSidecar(
  {
    ...FAST,
    POLYAI_BASE_URL: simulator.url,
    DATABASE_URL: postgres.url,
    LEASE_MS: '1000',
    RETENTION_DAYS: '1',
    RECORD_TO: file,
    NODE_OPTIONS: `--import ${new URL('recorder.ts', import.meta.url)}`,
  },
  'serve',
  join(tree, 'src/main.ts'),
);
running.defer(async () => void (await sidecar.end('SIGTERM')));

await use(await sidecar.url(), simulator);
await sidecar.end('SIGTERM');
const queries: SentQuery[] = (await readFile(file, 'utf8'))
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));
const recording = recordingOf([...queries, ...(await readsOfViews())]);
await writeRecording(level, recording);
console.log(`${level}: ${recording.runs.length} runs of ${recording.texts.length} statements`);

/** What a version has not got it answers with 404. */
async function use(url: string, { place }: Pick<Simulator, 'place'>): Promise<void> {
  async function ask(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<string> {
    const token = { 'x-polyai-auth-token': FAST.POLYAI_AUTH_TOKEN };
    const json = { headers: { ...token, 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const answer = await request(`${url}${path}`, {
      method,
      ...(body === undefined ? { headers: token } : json),
    });
    return answer.body.text();
  }
  const settled = async (callSid: string) => {
    while ((await ask('GET', `/v1/calls/${callSid}`)).includes('"outcome":null')) await sleep(50);
  };

  // Alone: of the runs that are kept, its whole life is.
  const first = place({
    script: [
      { status: 'queued', forMs: 1_500 },
      { status: 'calling', forMs: 1_000 },
      { status: 'calling', reason: 'ringing', forMs: 1_000 },
      { status: 'failure', reason: 'no answer', forMs: 0 },
    ],
  });
  await ask('POST', '/v1/calls', { callSid: first, metadata: { campaign: 'spring' } });
  await settled(first);

  const [second, third, fourth] = [place(), place(), place()];
  await ask('POST', '/v1/calls/batch', {
    calls: [{ callSid: second }, { callSid: third }, { callSid: 'OUT-0' }],
  });
  await ask('GET', `/v1/outbound-calling/${first}/status`);
  await ask('GET', `/v1/outbound-calling/${fourth}/status`);
  await ask('POST', '/v1/outbound-calling', { to_number: '+15551234567' });
  for (const query of [
    'limit=1',
    'status=failure&outcome=failure&account=default',
    'outcome=none&registeredFrom=2026-01-01T00:00:00Z&registeredTo=2099-01-01T00:00:00Z',
    'metadata.campaign=spring',
  ]) {
    const page: unknown = JSON.parse(await ask('GET', `/v1/calls?${query}`));
    const cursor: unknown = Reflect.get(Object(page), 'nextCursor');
    if (typeof cursor === 'string') await ask('GET', `/v1/calls?${query}&cursor=${cursor}`);
    await ask('GET', `/v1/export?format=ndjson&${query.replace('limit=1', '')}`);
  }
  for (const query of ['', '?limit=1', '?account=default', '?account=nobody&wait=1']) {
    await ask('GET', `/v1/transitions${query}`);
  }
  for (const query of [
    '',
    '?groupBy=account&bucket=hour',
    '?groupBy=metadata.campaign&timezone=Europe/London',
  ]) {
    await ask('GET', `/v1/stats${query}`);
  }
  await ask('GET', `/v1/calls/${third}?wait=1`);
  await ask('GET', '/health/ready');
  await ask('DELETE', `/v1/calls/${second}`);
  await sweep();
}

/** Until the sweeper has taken up a call that the queue has forgotten. */
async function sweep(): Promise<void> {
  await storeCalls({ query: async (text, values) => (await sql.query(text, values)).rows }, [
    { callSid: 'OUT-1', followedFor: -1_000_000 },
  ]);
  const forgotten = `select from polykeep_internal.unsettled where followed_until < now() - interval '1 day'`;
  while ((await sql.query(forgotten)).rowCount === 1) await sleep(50);
}

/** Analysts' SQL lives longer than any version. */
async function readsOfViews(): Promise<SentQuery[]> {
  const { rows } = await sql.query<{ text: string }>(
    `select format('select %s from polykeep.%I', string_agg(quote_ident(column_name), ', ' order by ordinal_position),
                   table_name) as text
       from information_schema.columns where table_schema = 'polykeep' group by table_name order by table_name`,
  );
  return rows.map(({ text }, index) => ({ connection: -index, text, values: [] }));
}
