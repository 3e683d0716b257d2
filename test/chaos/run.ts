import { setTimeout as sleep } from 'node:timers/promises';
import type { CallJson } from '../../src/api/schemas.ts';
import { closeClient, openClient } from '../../src/archive/postgres-client.ts';
import { seededRandom } from '../../src/simulator/random.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { client } from '../support/client.ts';
import { countCalls, readRollups } from '../support/rollup-count.ts';
import type { LogLine } from '../support/sidecar.ts';
import { aborted, pause, within } from './deadline.ts';
import type { Evidence, Settings } from './evidence.ts';
import { IncidentLog, type Say } from './incidents.ts';
import type { Plan } from './plan.ts';
import { startChaosPostgres } from './postgres.ts';
import { startReceivers } from './receivers.ts';
import { startChaosRedis } from './redis.ts';
import { placeAndRegister, STATS_KEY } from './register.ts';
import { type Cluster, strike } from './strike.ts';
import { Supervised } from './supervised.ts';
import { trustOf } from './trust.ts';
import { watchCluster } from './watch.ts';

const TOKEN = 'a-token-of-the-chaos-suite';
const SETUP_MS = 240_000;
/** For what the plan's end finds unsettled: the promises of a frozen worker must run out. Then for Redis to be empty. */
const GRACE_MS = 150_000;
const EMPTY_REDIS_MS = 60_000;
const READ_MS = 60_000;
/** The lease of a process that was killed ends after 30 s. */
const DELIVER_MS = 90_000;
const LOOK_EVERY_MS = 1_000;

export interface Remains {
  evidence: Evidence;
  /** Of all processes, each line with the one it is of. */
  logs: LogLine[];
}

/** Carries out a plan, and gives all that is left behind to be judged. Stops everything it has started, however it ends. */
export async function run(plan: Plan, say: Say, signal: AbortSignal): Promise<Remains> {
  await using running = new AsyncDisposableStack();
  const incidents = new IncidentLog(say);
  const cluster = await within(SETUP_MS, 'setup', setUp(plan, incidents, running));
  const { simulator, api } = cluster;
  const ending = new AbortController();
  running.defer(() => ending.abort());
  const all = AbortSignal.any([signal, ending.signal]);
  const oddAnswers: string[] = [];
  const startedAt = performance.now();
  const until = (at: number) => pause(at - (performance.now() - startedAt), all);

  const { receivers: manners, seed } = plan;
  const receivers = await startReceivers(manners, await api.url(), seededRandom(seed + 3), until);
  running.defer(() => receivers.stop());
  const watched = watchCluster(cluster, all);
  const registered = plan.registrations.map(async (registration) => {
    await until(registration.at);
    await placeAndRegister(registration, { simulator, api, oddAnswers }, all);
  });
  const forgotten = until(plan.forgetting.at).then(() => {
    for (const callSid of plan.forgetting.callSids) simulator.forget(callSid);
  });
  const struck = plan.troubles.map(async ({ at, trouble }) => {
    await until(at);
    if (!all.aborted) await strike(trouble, cluster, all);
  });
  await Promise.race([
    Promise.all([...registered, ...struck, forgotten, until(plan.calmAt)]),
    aborted(signal),
  ]);
  signal.throwIfAborted();
  incidents.say('calm');
  receivers.calm();
  await settled(api, plan.settledBy + GRACE_MS - (performance.now() - startedAt), all);
  await delivered(cluster, all);
  const leftInRedis = await emptied(cluster, all);
  const archived = await within(READ_MS, 'reading the archive', client(await api.url()).list());
  ending.abort();
  await Promise.all([...cluster.workers, api].map((process) => process.close()));
  const statistics = await within(READ_MS, 'counting all calls', statisticsOf(cluster.postgres.url));
  incidents.say('over');

  const processes = [...cluster.workers, api];
  return {
    evidence: {
      ...evidenceOf(plan, cluster, archived),
      ...watched,
      leftInRedis,
      statistics,
      oddAnswers,
      told: receivers.told(),
    },
    logs: processes.flatMap(({ logs, name }) => logs.flat().map((line) => ({ ...line, process: name }))),
  };
}

function evidenceOf({ settings, workers }: Plan, cluster: Cluster, archived: readonly CallJson[]) {
  const { simulator, api, incidents } = cluster;
  const processes = [...cluster.workers, api];
  const byCallSid = new Map(archived.map((call) => [call.callSid, call]));
  return {
    settings,
    calls: [...simulator.calls.values()].map(({ callSid, style, changes, forgottenAt }) => ({
      callSid,
      style,
      changes,
      forgottenAt,
      polls: simulator.journal.polls(callSid),
      archived: byCallSid.get(callSid) ?? null,
    })),
    strangers: [...byCallSid.keys()].filter((callSid) => !simulator.calls.has(callSid)),
    incidents: incidents.all,
    workers,
    workerProcesses: cluster.workers.reduce((starts, worker) => starts + worker.starts, 0),
    exits: processes.flatMap(({ exits }) => exits),
    deaths: processes.flatMap(({ deaths }) => deaths),
  };
}

/** By a count of the calls, and as they are kept. */
async function statisticsOf(url: string): Promise<Evidence['statistics']> {
  const client = await openClient(url, 'chaos');
  try {
    return { counted: await countCalls(client, [STATS_KEY]), kept: await readRollups(client) };
  } finally {
    await closeClient(client);
  }
}

async function setUp(plan: Plan, incidents: IncidentLog, running: AsyncDisposableStack): Promise<Cluster> {
  const trust = await trustOf(plan.protocol, running);
  incidents.say(`PolyAI is asked over ${plan.protocol}`);
  const simulator = await startSimulator({
    token: TOKEN,
    random: seededRandom(plan.seed + 1),
    tls: trust?.tls,
  });
  running.defer(() => simulator.stop());
  const postgres = await startChaosPostgres(incidents);
  running.defer(() => postgres.dispose());
  const redis = await startChaosRedis(incidents);
  running.defer(() => redis.dispose());

  const environment = {
    ...environmentOf(plan.settings),
    ...trust?.environment,
    POLYAI_BASE_URL: simulator.url,
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
    WEBHOOKS_SECRET: 'the root of the chaos suite, long enough'.replaceAll(' ', '-'),
  };
  const api = new Supervised('api', 'api', environment, incidents);
  const workers = Array.from(
    { length: plan.workers },
    (_, index) => new Supervised(`worker ${index}`, 'worker', environment, incidents),
  );
  running.defer(() => Promise.all([api, ...workers].map((process) => process.destroy())).then(() => {}));
  await Promise.all([api, ...workers].map((process) => process.start()));
  return { simulator, postgres, redis, api, workers, incidents };
}

function environmentOf(settings: Settings): Record<string, string> {
  return {
    POLYAI_AUTH_TOKEN: TOKEN,
    STATS_BY: STATS_KEY,
    PORT: '0',
    WORKER_PORT: '0',
    HOST: '127.0.0.1',
    POLL_INTERVAL_MIN_MS: `${settings.intervalMinMs}`,
    POLL_INTERVAL_MAX_MS: `${settings.intervalMaxMs}`,
    POLL_TIMEOUT_MS: `${settings.pollTimeoutMs}`,
    POLL_BACKOFF_MAX_MS: `${settings.backoffMaxMs}`,
    LEASE_MS: `${settings.leaseMs}`,
    NOT_FOUND_GRACE_MS: `${settings.notFoundGraceMs}`,
    POLYAI_RETENTION_MS: `${settings.retentionMs}`,
  };
}

/** Waits until every call is settled, or the time is over. */
async function settled(api: Supervised, withinMs: number, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline) {
    signal.throwIfAborted();
    const left = await within(
      READ_MS,
      'counting the unsettled',
      client(await api.url()).list('outcome=none'),
    );
    if (left.length === 0) return;
    await sleep(LOOK_EVERY_MS);
  }
}

/**
 * Waits until every endpoint has taken what there is for it. What failed twice would wait for minutes: now that nothing
 * goes wrong any more, it is tried at once.
 */
async function delivered({ postgres }: Cluster, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + DELIVER_MS;
  while (performance.now() < deadline) {
    signal.throwIfAborted();
    if ((await postgres.hurryDeliveries()) === 0) return;
    await sleep(LOOK_EVERY_MS);
  }
}

/** What is still in Redis when it has had its time. */
async function emptied({ redis }: Cluster, signal: AbortSignal): Promise<string[]> {
  const deadline = performance.now() + EMPTY_REDIS_MS;
  for (;;) {
    signal.throwIfAborted();
    const left = await redis.leftovers();
    if (left.length === 0 || performance.now() > deadline) return left;
    await sleep(LOOK_EVERY_MS);
  }
}
