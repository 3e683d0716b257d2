import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { PollMetrics } from './tracking/account.ts';
import type { Accounts } from './tracking/accounts.ts';

export interface Metrics extends PollMetrics {
  /** From now on the state of these accounts is told too. */
  watch(accounts: Pick<Accounts, 'all'>): void;
  /** Prometheus' text format, and its content type. */
  text(): Promise<{ body: string; contentType: string }>;
}

/** Seconds: from a poll that is answered at once to a rate limit that stretches intervals to minutes. */
const INTERVALS = [0.5, 1, 2, 3, 4, 5, 7.5, 10, 15, 20, 25, 30, 40, 60, 120, 300, 600];
const LATENCIES = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const polls = new Counter({
    name: 'polykeep_polls_total',
    help: 'Status requests to PolyAI that were answered or failed, by what they brought.',
    labelNames: ['account', 'result'],
    registers,
  });
  const seconds = new Histogram({
    name: 'polykeep_poll_seconds',
    help: 'How long status requests to PolyAI take.',
    labelNames: ['account'],
    buckets: LATENCIES,
    registers,
  });
  const intervals = new Histogram({
    name: 'polykeep_poll_interval_seconds',
    help: 'Time between two polls of one call: the actual interval, which a rate limit stretches.',
    labelNames: ['account'],
    buckets: INTERVALS,
    registers,
  });

  return {
    polled(account, result, ms) {
      polls.inc({ account, result });
      seconds.observe({ account }, ms / 1000);
    },
    interval: (account, ms) => intervals.observe({ account }, ms / 1000),
    watch(accounts) {
      new Gauge({
        name: 'polykeep_account_paused',
        help: '1 while PolyAI refuses the token of the account: its calls wait.',
        labelNames: ['account'],
        registers,
        collect() {
          this.reset();
          for (const { name, paused } of accounts.all()) this.set({ account: name }, paused ? 1 : 0);
        },
      });
      new Gauge({
        name: 'polykeep_account_waiting_polls',
        help: 'Polls that are due and wait for their turn under the rate limit, in this process.',
        labelNames: ['account'],
        registers,
        collect() {
          this.reset();
          for (const { name, limit } of accounts.all()) this.set({ account: name }, limit.waiting);
        },
      });
      new Gauge({
        name: 'polykeep_account_rate_limit',
        help: 'Requests per second that the account may make in all processes; +Inf where no limit is known.',
        labelNames: ['account'],
        registers,
        collect() {
          this.reset();
          for (const { name, limit } of accounts.all()) this.set({ account: name }, limit.rate);
        },
      });
    },
    text: async () => ({ body: await registry.metrics(), contentType: registry.contentType }),
  };
}
