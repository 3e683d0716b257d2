import type { Logger } from 'pino';
import { isUnreachable } from '../archive/sql-states.ts';
import type { Clock } from '../clock.ts';

/** Work that is done again and again. */
export interface Rounds {
  start(): void;
  /** Resolves when the round that runs is over. */
  stop(): Promise<void>;
}

interface RoundsOptions {
  /** For the log. */
  name: string;
  /** One round. Where it rejects, that is logged, and the next round tries again. */
  work: (signal: AbortSignal) => Promise<void>;
  /** Between two rounds, in milliseconds. */
  everyMs: number;
  clock: Clock;
  log: Logger;
}

/** Does the work, waits, and does it again, from `start` until `stop`. */
export function createRounds({ name, work, everyMs, clock, log }: RoundsOptions): Rounds {
  const stopped = new AbortController();
  let running: Promise<void> = Promise.resolve();
  let failing = false;

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      await round();
      await clock.sleep(everyMs, stopped.signal);
    }
  }

  /** One line when it begins to fail, and one when it succeeds again. */
  async function round(): Promise<void> {
    try {
      await work(stopped.signal);
      if (failing) log.info(`${name} succeeds again`);
      failing = false;
    } catch (error) {
      // One line for a server that is away, and not one for each that needs it.
      if (isUnreachable(error)) return log.debug({ err: error }, `${name} failed`);
      if (!failing) log.warn({ err: error }, `${name} failed: trying again until it succeeds`);
      failing = true;
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
