import { Gauge, type Registry } from 'prom-client';
import { within } from '../clock.ts';
import type { Backlog } from '../push/backlog.ts';

const COUNT_EVERY_MS = 10_000;
/** Or so many times what the last count took, where that is more. */
const REST_FACTOR = 100;
/** A scrape waits so long for a new count, and then tells the last one. */
const SCRAPE_PATIENCE_MS = 1_000;
const EVERY_PROCESS = 'Every process tells the same: take the max().';

/** Tells what waits for webhooks. Returns a function that counts it, to be called before each scrape. */
export function watchBacklog(registry: Registry, read: () => Promise<Backlog>): () => Promise<void> {
  const registers = [registry];
  const pending = new Gauge({
    name: 'polykeep_webhook_deliveries_pending',
    help: `Deliveries that wait for their first or next attempt, to webhooks that are enabled. ${EVERY_PROCESS}`,
    registers,
  });
  const oldest = new Gauge({
    name: 'polykeep_webhook_oldest_pending_seconds',
    help: `Since the delivery that has waited longest was written down; 0 where none waits. ${EVERY_PROCESS}`,
    registers,
  });
  const webhooks = new Gauge({
    name: 'polykeep_webhooks',
    help: `Webhooks, by whether they are enabled. ${EVERY_PROCESS}`,
    labelNames: ['state'],
    registers,
  });
  let dueAt = 0;
  let counting: Promise<void> | null = null;

  async function count(): Promise<void> {
    const begunAt = performance.now();
    // Where Postgres is away, that is told by another gauge, and these stay as they were.
    const counted = await read().catch(() => null);
    if (counted !== null) {
      pending.set(counted.pending);
      oldest.set(counted.oldestS);
      webhooks.set({ state: 'enabled' }, counted.enabled);
      webhooks.set({ state: 'disabled' }, counted.disabled);
    }
    const now = performance.now();
    dueAt = now + Math.max(COUNT_EVERY_MS, (now - begunAt) * REST_FACTOR);
    counting = null;
  }

  return async () => {
    if (performance.now() >= dueAt) counting ??= count();
    if (counting !== null) await within(SCRAPE_PATIENCE_MS, counting);
  };
}
