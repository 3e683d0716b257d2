import type { Clock } from '../clock.ts';

/** Work that is done again and again. */
export interface Rounds {
  start(): void;
  /** Resolves when the round that runs is over. */
  stop(): Promise<void>;
}

interface RoundsOptions {
  /** One round; must not reject. */
  work: (signal: AbortSignal) => Promise<void>;
  /** Between two rounds, in milliseconds. */
  everyMs: number;
  clock: Clock;
}

/** Does the work, waits, and does it again, from `start` until `stop`. */
export function createRounds({ work, everyMs, clock }: RoundsOptions): Rounds {
  const stopped = new AbortController();
  let running: Promise<void> = Promise.resolve();

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      await work(stopped.signal);
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
