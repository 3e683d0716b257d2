import type { Account } from '../accounts/account.ts';
import type { Accounts } from '../accounts/accounts.ts';
import type { UnsettledCalls, UnsettledGroup } from '../archive/read/unsettled.ts';
import { within } from '../clock.ts';
import type { CallQueue } from '../queue/call-queue.ts';
import { paced } from './paced.ts';
import { statusOf } from './readiness.ts';
import type { HealthJson, HealthReportJson } from './schemas.ts';

/** Any number of pages may look: together they cost no more than one look in so long. */
const LOOK_EVERY_MS = 2_000;
/** As metrics count: between two counts there are 10 s, or 100 times what the count took. */
const COUNT = { everyMs: 10_000, restFactor: 100 };
const COUNT_PATIENCE_MS = 1_000;

interface HealthReportOptions {
  readiness: () => Promise<HealthJson['parts']>;
  queue: Pick<CallQueue, 'depth' | 'workers' | 'followed' | 'isShared'>;
  accounts: Pick<Accounts, 'all'>;
  unsettled: UnsettledCalls;
}

type AccountReport = HealthReportJson['accounts'][number];

/** Returns a function that tells how each part is, with the numbers that say how bad it is. */
export function createHealthReport({ readiness, queue, accounts, unsettled }: HealthReportOptions) {
  const counted = paced(() => unsettled.read(), COUNT);
  let lastGroups: readonly UnsettledGroup[] | null = null;

  /** What was counted last, where Postgres takes its time; null where it never counted. */
  async function groups(): Promise<readonly UnsettledGroup[] | null> {
    const count = counted().then((groups) => {
      lastGroups = groups;
    });
    await within(COUNT_PATIENCE_MS, count);
    return lastGroups;
  }

  async function look(): Promise<HealthReportJson> {
    const [parts, found, depth, workers] = await Promise.all([
      readiness(),
      groups(),
      queue.depth(),
      queue.workers(),
    ]);
    return {
      status: statusOf(parts),
      checkedAt: new Date().toISOString(),
      archive: { state: parts.postgres },
      queue: {
        state: parts.queue,
        isShared: queue.isShared,
        active: depth?.active ?? null,
        waiting: depth === null ? null : depth.waiting + depth.delayed,
      },
      workers: { count: workers, followedHere: queue.followed },
      accounts: accountReports(accounts.all(), found),
    };
  }

  return paced(look, { everyMs: LOOK_EVERY_MS });
}

/** Those that are configured, then those that only calls are left of. */
function accountReports(
  configured: readonly Account[],
  groups: readonly UnsettledGroup[] | null,
): AccountReport[] {
  const names = new Set(configured.map(({ name }) => name));
  const left = new Set(groups?.map(({ account }) => account).filter((account) => !names.has(account)));
  return [
    ...configured.map((account) => ({ ...reportOf(account), ...countsOf(account.name, groups) })),
    ...[...left].map((name) => ({ ...UNCONFIGURED, name, ...countsOf(name, groups) })),
  ];
}

function reportOf({ name, condition, limit, connection, msToProbe }: Account) {
  const [state = '', ...words] = condition.split(': ');
  return {
    name,
    state,
    detail: words.length === 0 ? null : words.join(': '),
    api: connection.api.name,
    requestsPerSecond: Number.isFinite(limit.rate) ? limit.rate : null,
    maxRequestsPerSecond: connection.maxRequestsPerSecond,
    waitingPolls: limit.waiting,
    nextProbeSeconds: state === 'paused' ? msToProbe() / 1000 : null,
  };
}

const UNCONFIGURED = {
  state: 'unconfigured',
  detail: null,
  api: null,
  requestsPerSecond: null,
  maxRequestsPerSecond: null,
  waitingPolls: 0,
  nextProbeSeconds: null,
};

function countsOf(name: string, groups: readonly UnsettledGroup[] | null) {
  if (groups === null) return { followed: null, atRisk: null, longestSilenceSeconds: null };
  const own = groups.filter(({ account }) => account === name);
  return {
    followed: own.reduce((sum, { count }) => sum + count, 0),
    atRisk: own.reduce((sum, { silent }) => sum + silent, 0),
    longestSilenceSeconds: Math.max(0, ...own.map(({ longestSilenceS }) => longestSilenceS)),
  };
}
