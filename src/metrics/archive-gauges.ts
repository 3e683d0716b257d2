import { Gauge, type Registry } from 'prom-client';
import type { Accounts } from '../accounts/accounts.ts';
import type { ArchiveHealth } from '../archive/health.ts';
import { SILENT_AFTER_MS, type UnsettledCalls, type UnsettledGroup } from '../archive/read/unsettled.ts';
import { isUnavailable, sqlState } from '../archive/sql-states.ts';
import { within } from '../clock.ts';

interface WatchArchiveOptions {
  unsettled: UnsettledCalls;
  archive: Pick<ArchiveHealth, 'isUp'>;
  /** Each has its gauges, also while it has no call. */
  accounts: Pick<Accounts, 'all'>;
}

/** What Postgres counted last. */
interface Count {
  isUp: boolean;
  /** null where Postgres could not count. */
  groups: readonly UnsettledGroup[] | null;
}

/**
 * Between the end of one count and the next there are 10 s, or 100 times what the first one took where that is more.
 */
const COUNT_EVERY_MS = 10_000;
const REST_FACTOR = 100;
/** A scrape waits so long for a new count, and then tells the last one. */
const SCRAPE_PATIENCE_MS = 1_000;
/** A Postgres that has not counted after so long is taken to be away. */
const COUNT_PATIENCE_MS = 6_000;
const EVERY_PROCESS = 'Every process tells the same: take the max().';
const MINUTES = SILENT_AFTER_MS / 60_000;

/** Tells of the calls that are not settled. Returns a function that counts them, to be called before each scrape. */
export function watchArchive(
  registry: Registry,
  { unsettled, accounts, archive }: WatchArchiveOptions,
): () => Promise<void> {
  const registers = [registry];
  const up = new Gauge({
    name: 'polykeep_archive_up',
    help: '1 where Postgres answers and takes writes.',
    registers,
  });
  const calls = new Gauge({
    name: 'polykeep_calls_unsettled',
    help: `Calls that are not settled, by the status PolyAI showed last (none: not yet any; other: one that polykeep does not know). ${EVERY_PROCESS}`,
    labelNames: ['account', 'status'],
    registers,
  });
  const atRisk = new Gauge({
    name: 'polykeep_calls_at_risk',
    help: `Unsettled calls of which PolyAI has shown nothing for ${MINUTES} minutes (since their registration, where it never has): if they ended, it forgets them two hours after that. ${EVERY_PROCESS}`,
    labelNames: ['account'],
    registers,
  });
  const oldest = new Gauge({
    name: 'polykeep_oldest_unpolled_seconds',
    help: `Since PolyAI last showed a status (since the registration, where it never has) of the unsettled call that has waited longest; 0 without such. Written once a lease. ${EVERY_PROCESS}`,
    labelNames: ['account'],
    registers,
  });
  let last: Count = { isUp: true, groups: null };
  let dueAt = 0;
  let counting: Promise<void> | null = null;

  async function count(): Promise<void> {
    const begunAt = performance.now();
    const groups = unsettled.read();
    last = (await within(COUNT_PATIENCE_MS, groups))
      ? await groups.then(
          (groups) => ({ isUp: true, groups }),
          (error: unknown) => ({ isUp: !isUnavailable(error) || isTooSlow(error), groups: null }),
        )
      : { isUp: false, groups: null };
    const endedAt = performance.now();
    // While Postgres is away every scrape asks anew whether it is back.
    dueAt = last.isUp ? endedAt + Math.max(COUNT_EVERY_MS, REST_FACTOR * (endedAt - begunAt)) : 0;
    counting = null;
  }

  function tell({ isUp, groups }: Count): void {
    up.set(isUp && archive.isUp ? 1 : 0);
    for (const gauge of [calls, atRisk, oldest]) gauge.reset();
    if (groups === null) return;
    for (const { name: account } of accounts.all())
      for (const gauge of [atRisk, oldest]) gauge.set({ account }, 0);
    const longest = new Map<string, number>();
    for (const { account, status, count, silent, longestSilenceS } of groups) {
      calls.set({ account, status }, count);
      atRisk.inc({ account }, silent);
      longest.set(account, Math.max(longest.get(account) ?? 0, longestSilenceS));
    }
    for (const [account, seconds] of longest) oldest.set({ account }, seconds);
  }

  return async () => {
    if (performance.now() >= dueAt) counting ??= count();
    if (counting !== null) await within(SCRAPE_PATIENCE_MS, counting);
    tell(last);
  };
}

/** The statement's own time-out stopped it: Postgres is there, and has more calls than it can count in that time. */
function isTooSlow(error: unknown): boolean {
  return sqlState(error) === '57014';
}
