import { Counter, collectDefaultMetrics, Gauge, type Registry } from 'prom-client';
import polykeep from '../../package.json' with { type: 'json' };

/**
 * Default metrics that cost more than they tell. The first six list every timer and socket of the process: while it
 * follows 20,000 calls, that takes half of a scrape's time.
 */
const LEFT_OUT = [
  'nodejs_active_resources',
  'nodejs_active_resources_total',
  'nodejs_active_handles',
  'nodejs_active_handles_total',
  'nodejs_active_requests',
  'nodejs_active_requests_total',
  'nodejs_heap_space_size_total_bytes',
  'nodejs_heap_space_size_used_bytes',
  'nodejs_heap_space_size_available_bytes',
];

/** Tells of the process: event-loop lag, memory, processor time, garbage collection, its log, and what it is. */
export function watchProcess(registry: Registry, role: string, droppedLines: () => number): void {
  collectDefaultMetrics({ register: registry });
  for (const name of LEFT_OUT) registry.removeSingleMetric(name);
  new Gauge({
    name: 'polykeep_build_info',
    help: '1, with the version of polykeep and the role of the process.',
    labelNames: ['version', 'role'],
    registers: [registry],
  }).set({ version: polykeep.version, role }, 1);
  new Counter({
    name: 'polykeep_log_lines_dropped_total',
    help: 'Lines of the log that could not be written: nobody reads them, or their disk is full.',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(droppedLines());
    },
  });
}
