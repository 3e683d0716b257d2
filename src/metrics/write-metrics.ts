import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { ArchiveWriter, WriteMetrics } from '../archive/write/writer.ts';
import { KNOWN_STATUSES } from '../call/lifecycle.ts';

const REPORTS = [1, 2, 5, 10, 20, 50, 100, 200, 500];
const LATENCIES = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** Seconds: up to the two hours after which PolyAI forgets a call. */
const LAGS = [0.5, 1, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200];

/** Counts what this process commits to the archive. */
export function createWriteMetrics(registry: Registry): WriteMetrics {
  const registers = [registry];
  const transitions = new Counter({
    name: 'polykeep_transitions_total',
    help: 'Status changes written by this process; a status that polykeep does not know counts as other.',
    labelNames: ['account', 'status'],
    registers,
  });
  const settled = new Counter({
    name: 'polykeep_settled_total',
    help: 'Calls settled by this process, by outcome.',
    labelNames: ['account', 'outcome'],
    registers,
  });
  const lag = new Histogram({
    name: 'polykeep_detection_lag_seconds',
    help: "From PolyAI's last_updated to the poll that saw the change, where PolyAI gives one; without a call's first status, which may be older than its registration. PolyAI's clock against this process's, and never below 0.",
    labelNames: ['account'],
    buckets: LAGS,
    registers,
  });
  const reports = new Histogram({
    name: 'polykeep_write_reports',
    help: 'Reports of followers in one write.',
    buckets: REPORTS,
    registers,
  });
  const seconds = new Histogram({
    name: 'polykeep_write_seconds',
    help: 'How long a write that was committed took, from the wait for a connection to the commit.',
    buckets: LATENCIES,
    registers,
  });
  const failures = new Counter({
    name: 'polykeep_write_failures_total',
    help: 'Writes that failed: retried are tried again until they succeed; reduced are single reports of which Postgres took the status and the times, and refused the rest; refused are those of which it takes nothing.',
    labelNames: ['kind'],
    registers,
  });
  // Prometheus sees the first failure as an increase only where it has seen a 0 before.
  for (const kind of ['retried', 'reduced', 'refused']) failures.inc({ kind }, 0);

  return {
    wrote(count, ms) {
      reports.observe(count);
      seconds.observe(ms / 1000);
    },
    failed: (kind) => failures.inc({ kind }),
    transition(account, { status, lastUpdated, changedAfter, observedAt }) {
      transitions.inc({ account, status: KNOWN_STATUSES.has(status) ? status : 'other' });
      if (lastUpdated === null || changedAfter === null) return;
      lag.observe({ account }, Math.max(0, observedAt.getTime() - lastUpdated.getTime()) / 1000);
    },
    settled: (account, outcome) => settled.inc({ account, outcome }),
  };
}

/** Tells whether what followers saw can be written now. */
export function watchWriter(registry: Registry, writer: Pick<ArchiveWriter, 'isAway'>): void {
  new Gauge({
    name: 'polykeep_writes_away',
    help: '1 while the writes of this process fail and are tried again: what followers see waits in memory.',
    registers: [registry],
    collect() {
      this.set(writer.isAway ? 1 : 0);
    },
  });
}
