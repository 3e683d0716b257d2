import { signal } from '@preact/signals';
import type { Health } from './answers.ts';
import { ask } from './client.ts';
import { sleep, untilVisible } from './patience.ts';

const LOOK_EVERY_MS = 10_000;

/** How polykeep is, as every view shows it; null before it was asked. */
export const health = signal<Health | null>(null);

/** Asks again and again until the signal is aborted. What it asks in vain is told by `isAway`. */
export async function watchHealth(over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    try {
      health.value = await ask<Health>('/v1/health', { signal: over });
    } catch {
      // The next look tries again.
    }
    await sleep(LOOK_EVERY_MS, over);
    await untilVisible(over);
  }
}
