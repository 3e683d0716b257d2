import type { Logger } from 'pino';
import type { ExpiredCalls } from '../archive/retention.ts';
import type { Clock } from './clock.ts';

export interface Retention {
  start(): void;
  stop(): Promise<void>;
}

export interface RetentionOptions {
  expired: ExpiredCalls;
  everyMs: number;
  clock: Clock;
  log: Logger;
}

/** Has calls that settled longer ago than they are kept deleted, again and again. */
export function createRetention({ expired, everyMs, clock, log }: RetentionOptions): Retention {
  const stopped = new AbortController();
  let running: Promise<void> = Promise.resolve();

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      try {
        const calls = await expired.deleteAll(stopped.signal);
        if (calls !== null && calls > 0) log.info({ calls }, 'deleted calls that settled long ago');
      } catch (error) {
        log.warn({ err: error }, 'retention failed: trying again later');
      }
      await clock.sleep(everyMs, stopped.signal);
    }
  }

  return {
    start() {
      running = run();
    },
    async stop() {
      stopped.abort();
      await running;
    },
  };
}
