import { Counter, Registry } from 'prom-client';
import type { PollMetrics } from '../accounts/account.ts';
import type { Accounts } from '../accounts/accounts.ts';
import type { RequestMetrics } from '../api/server.ts';
import type { ArchiveHealth } from '../archive/health.ts';
import type { UnfoldedChanges } from '../archive/read/unfolded.ts';
import type { UnsettledCalls } from '../archive/read/unsettled.ts';
import type { ArchiveWriter, WriteMetrics } from '../archive/write/writer.ts';
import type { Backlog } from '../push/backlog.ts';
import type { PushMetrics } from '../push/sender.ts';
import type { CallQueue } from '../queue/call-queue.ts';
import type { SweepMetrics } from '../upkeep/sweeper.ts';
import { watchAccounts } from './account-gauges.ts';
import { watchArchive } from './archive-gauges.ts';
import { createPollMetrics } from './poll-metrics.ts';
import { watchProcess } from './process-metrics.ts';
import { watchBacklog } from './push-gauges.ts';
import { createPushMetrics } from './push-metrics.ts';
import { watchQueue } from './queue-gauges.ts';
import { createRequestMetrics } from './request-metrics.ts';
import { watchRollups } from './rollup-gauge.ts';
import { createWriteMetrics, watchWriter } from './write-metrics.ts';

/** What the rooms report their work to, and what Prometheus is told of it. */
export interface Metrics {
  readonly polls: PollMetrics;
  readonly writes: WriteMetrics;
  readonly sweeps: SweepMetrics;
  readonly pushes: PushMetrics;
  readonly requests: RequestMetrics;
  /** From now on Prometheus is told the state of these too. */
  watch(watched: Watched): void;
  /** Prometheus' text format, and its content type. */
  text(): Promise<{ body: string; contentType: string }>;
}

export interface Watched {
  accounts: Pick<Accounts, 'all'>;
  writer: Pick<ArchiveWriter, 'isAway'>;
  archive: Pick<ArchiveHealth, 'isUp'>;
  queue: Pick<CallQueue, 'followed' | 'depth' | 'state'>;
  unsettled: UnsettledCalls;
  unfolded: UnfoldedChanges;
  backlog: () => Promise<Backlog>;
}

/** `droppedLines`: of the log, since the start. */
export function createMetrics(role: string, droppedLines = () => 0): Metrics {
  const registry = new Registry();
  const sweptUp = new Counter({
    name: 'polykeep_swept_up_total',
    help: 'Calls that nobody followed, and that the sweeper of this process had followed again.',
    registers: [registry],
  });
  let beforeScrape: (() => Promise<void>)[] = [];
  watchProcess(registry, role, droppedLines);

  return {
    polls: createPollMetrics(registry),
    writes: createWriteMetrics(registry),
    sweeps: { sweptUp: (calls) => sweptUp.inc(calls) },
    pushes: createPushMetrics(registry),
    requests: createRequestMetrics(registry),
    watch({ accounts, writer, archive, queue, unsettled, unfolded, backlog }) {
      watchAccounts(registry, accounts);
      watchWriter(registry, writer);
      beforeScrape = [
        watchQueue(registry, queue),
        watchArchive(registry, { unsettled, accounts, archive }),
        watchRollups(registry, unfolded),
        watchBacklog(registry, backlog),
      ];
    },
    async text() {
      await Promise.all(beforeScrape.map((update) => update()));
      return { body: await registry.metrics(), contentType: registry.contentType };
    },
  };
}
