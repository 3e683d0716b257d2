import { Gauge, type Registry } from 'prom-client';
import type { UnfoldedChanges } from '../archive/read/unfolded.ts';
import { within } from '../clock.ts';

/** A scrape waits so long for the count, and does without it then. */
const SCRAPE_PATIENCE_MS = 1_000;

/** Tells whether statistics are folded. Returns a function that counts, to be called before each scrape. */
export function watchRollups(registry: Registry, unfolded: UnfoldedChanges): () => Promise<void> {
  const gauge = new Gauge({
    name: 'polykeep_rollup_changes',
    help: 'Changes of statistics that are not yet folded into rollups, 100,000 at most: each question for statistics reads them. Every process tells the same: take the max().',
    registers: [registry],
  });
  let counting: Promise<void> | null = null;

  async function count(): Promise<void> {
    // What Postgres cannot count is missing, as what it did not say in time.
    await unfolded.read().then(
      (changes) => gauge.set(changes),
      () => gauge.remove(),
    );
    counting = null;
  }

  return async () => {
    counting ??= count();
    await within(SCRAPE_PATIENCE_MS, counting);
  };
}
