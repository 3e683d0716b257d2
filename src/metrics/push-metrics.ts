import { Counter, Histogram, type Registry } from 'prom-client';
import type { PushMetrics } from '../push/sender.ts';

const RESULTS = ['success', 'refused', 'timeout', 'unreachable', 'forbidden', 'broken'];
const REASONS = ['gone', 'failing'];
const LAGS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200];
const ANSWERS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15];

/** Counts what this process delivers to webhooks. */
export function createPushMetrics(registry: Registry): PushMetrics {
  const registers = [registry];
  const attempts = new Counter({
    name: 'polykeep_webhook_attempts_total',
    help: 'Attempts to deliver, by what came of them: refused is an answer other than 2xx, forbidden an address that webhooks must not reach.',
    labelNames: ['result'],
    registers,
  });
  const seconds = new Histogram({
    name: 'polykeep_webhook_attempt_seconds',
    help: 'How long attempts took, from the asking for a connection to the end of the answer.',
    buckets: ANSWERS,
    registers,
  });
  const lag = new Histogram({
    name: 'polykeep_webhook_lag_seconds',
    help: 'From the moment that an event was written down to its first attempt.',
    buckets: LAGS,
    registers,
  });
  const disabled = new Counter({
    name: 'polykeep_webhooks_disabled_total',
    help: 'Webhooks that this process disabled: gone, by an answer 410; failing, after five days without any success.',
    labelNames: ['reason'],
    registers,
  });
  // Prometheus sees the first one as an increase only where it has seen a 0 before.
  for (const result of RESULTS) attempts.inc({ result }, 0);
  for (const reason of REASONS) disabled.inc({ reason }, 0);

  return {
    attempted(result, ms) {
      attempts.inc({ result });
      seconds.observe(ms / 1000);
    },
    lag: (ms) => lag.observe(Math.max(0, ms) / 1000),
    disabled: (reason) => disabled.inc({ reason }),
  };
}
