import { Counter, Histogram, type Registry } from 'prom-client';
import { REFUSALS } from '../api/door/count-refusal.ts';
import type { RequestMetrics } from '../api/server.ts';

/** Seconds, up to the longest wait for news. */
const LATENCIES = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Counts requests by the pattern of their route, never by their URL. */
export function createRequestMetrics(registry: Registry): RequestMetrics {
  const seconds = new Histogram({
    name: 'polykeep_http_request_seconds',
    help: 'How long requests to polykeep took, by route and class of status (2xx); with ?wait they take as long as they waited. Requests to no route are route "none".',
    labelNames: ['method', 'route', 'status'],
    buckets: LATENCIES,
    registers: [registry],
  });
  const refused = new Counter({
    name: 'polykeep_http_refused_total',
    help: 'Connections and requests that were refused at the door: connections (as many are open as may be), late (the event loop is), rate (of one key or address), wrong_keys (too many different ones from one address).',
    labelNames: ['why'],
    registers: [registry],
  });
  // Prometheus sees the first refusal as an increase only where it has seen a 0 before.
  for (const why of REFUSALS) refused.inc({ why }, 0);
  return {
    refused: (why) => refused.inc({ why }),
    answered: (method, route, status, ms) =>
      seconds.observe({ method, route, status: `${Math.floor(status / 100)}xx` }, ms / 1000),
  };
}
