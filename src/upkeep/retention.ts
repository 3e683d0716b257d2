import type { Logger } from 'pino';
import type { ExpiredCalls } from '../archive/retention.ts';
import type { Clock } from '../clock.ts';
import { createRounds, type Rounds } from './rounds.ts';

export interface RetentionOptions {
  expired: ExpiredCalls;
  everyMs: number;
  clock: Clock;
  log: Logger;
}

/** Has calls that settled longer ago than they are kept deleted, again and again. */
export function createRetention({ expired, everyMs, clock, log }: RetentionOptions): Rounds {
  async function work(signal: AbortSignal): Promise<void> {
    try {
      const calls = await expired.deleteAll(signal);
      if (calls !== null && calls > 0) log.info({ calls }, 'deleted calls that settled long ago');
    } catch (error) {
      log.warn({ err: error }, 'retention failed: trying again later');
    }
  }

  return createRounds({ work, everyMs, clock });
}
