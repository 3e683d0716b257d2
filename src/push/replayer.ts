import type { Pool } from 'pg';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import { replayStep } from './replays.ts';

/** Has what is to be sent again sent, a few calls at a time. */
export interface Replayer {
  start(): void;
  stop(): Promise<void>;
}

interface ReplayerOptions {
  pool: Pool;
  /** Has what was added delivered soon. */
  wake: () => void;
  clock: Clock;
  log: Logger;
  everyMs?: number;
}

const EVERY_MS = 1_000;

export function createReplayer({ pool, wake, clock, log, everyMs = EVERY_MS }: ReplayerOptions): Replayer {
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const isMore = await replayStep(pool).catch((error: unknown) => {
        log.debug({ err: error }, 'a replay takes no step');
        return false;
      });
      if (isMore) wake();
      else await clock.sleep(everyMs, stopping.signal);
    }
  }

  return {
    start() {
      running = run();
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
