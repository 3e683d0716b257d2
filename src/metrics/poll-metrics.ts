import { Counter, type Registry } from 'prom-client';
import type { PollMetrics } from '../accounts/account.ts';
import type { PollResult } from '../accounts/poll-signs.ts';
import { TalliedHistogram, type Tally } from './tallied-histogram.ts';

/** Seconds: up to the minutes to which a rate limit stretches intervals. */
const INTERVALS = [0.5, 1, 2, 3, 4, 5, 7.5, 10, 15, 20, 25, 30, 40, 60, 120, 300, 600];
const LATENCIES = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What is counted of one account. */
interface Polls {
  results: Map<PollResult, number>;
  seconds: Tally;
  intervals: Tally;
}

/** Tens of thousands of polls a second are counted: labels are looked at only when Prometheus asks. */
export function createPollMetrics(registry: Registry): PollMetrics {
  const registers = [registry];
  const byAccount = new Map<string, Polls>();
  new Counter({
    name: 'polykeep_polls_total',
    help: 'Status requests to PolyAI that were answered or failed, by what they brought.',
    labelNames: ['account', 'result'],
    registers,
    collect() {
      this.reset();
      for (const [account, { results }] of byAccount) {
        for (const [result, polls] of results) this.inc({ account, result }, polls);
      }
    },
  });
  const seconds = new TalliedHistogram({
    name: 'polykeep_poll_seconds',
    help: 'How long status requests to PolyAI take.',
    buckets: LATENCIES,
    registers,
  });
  const intervals = new TalliedHistogram({
    name: 'polykeep_poll_interval_seconds',
    help: 'Time between two polls of one call: the actual interval, which a rate limit stretches.',
    buckets: INTERVALS,
    registers,
  });

  function pollsOf(account: string): Polls {
    const known = byAccount.get(account);
    if (known !== undefined) return known;
    const polls = {
      results: new Map<PollResult, number>(),
      seconds: seconds.tally(account),
      intervals: intervals.tally(account),
    };
    byAccount.set(account, polls);
    return polls;
  }

  return {
    polled(account, result, ms) {
      const polls = pollsOf(account);
      polls.results.set(result, (polls.results.get(result) ?? 0) + 1);
      polls.seconds.observe(ms / 1000);
    },
    interval: (account, ms) => pollsOf(account).intervals.observe(ms / 1000),
  };
}
