import type { Stats } from '../polykeep/answers.ts';
import { ask } from '../polykeep/client.ts';
import { Failure } from '../polykeep/failure.ts';
import { sleep } from '../polykeep/patience.ts';

const TRIES = 8;
const BETWEEN_MS = 700;

/** polykeep makes two statistics at once: whoever comes as the third asks again. */
export async function readStats(path: string, signal: AbortSignal): Promise<Stats> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask<Stats>(path, { signal });
    } catch (error) {
      const isBusy = error instanceof Failure && error.code === 'too_many_stats';
      if (!isBusy || tries === TRIES) throw error;
      await sleep(BETWEEN_MS * tries, signal);
      signal.throwIfAborted();
    }
  }
}

/** The same of what this polykeep may not know to count by: null then, also where it takes too long. */
export async function readStatsIfAny(path: string, signal: AbortSignal): Promise<Stats | null> {
  try {
    return await readStats(path, signal);
  } catch (error) {
    if (error instanceof Failure && (error.status === 400 || error.code === 'stats_too_slow')) return null;
    throw error;
  }
}
