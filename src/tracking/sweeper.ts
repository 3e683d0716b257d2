import type { Logger } from 'pino';
import type { OverdueCalls } from '../archive/overdue.ts';
import type { Clock } from './clock.ts';

export interface Sweeper {
  start(): void;
  stop(): Promise<void>;
}

export interface SweeperOptions {
  overdue: OverdueCalls;
  requeue: (callSids: readonly string[]) => Promise<void>;
  everyMs: number;
  /** Nobody else can be following anything: the first sweep takes up every unsettled call, whatever was promised. */
  alone: boolean;
  clock: Clock;
  log: Logger;
}

/**
 * Finds calls that nobody follows: registered while the queue was away, forgotten by a queue that was flushed, or left
 * behind by a process that died. Postgres knows them by a `followed_until` that has passed.
 */
export function createSweeper({ overdue, requeue, everyMs, alone, clock, log }: SweeperOptions): Sweeper {
  const stopped = new AbortController();
  let running: Promise<void> = Promise.resolve();

  async function run(): Promise<void> {
    let includeFollowed = alone;
    while (!stopped.signal.aborted) {
      if (await sweep(includeFollowed)) includeFollowed = false;
      await clock.sleep(everyMs, stopped.signal);
    }
  }

  async function sweep(includeFollowed: boolean): Promise<boolean> {
    let found = 0;
    try {
      const swept = await overdue.sweep(
        async (callSids) => {
          found += callSids.length;
          await requeue(callSids);
        },
        { includeFollowed },
      );
      if (found > 0) log.info({ calls: found }, 'took up calls that nobody followed');
      return swept;
    } catch (error) {
      log.warn({ err: error }, 'sweep failed: trying again later');
      return false;
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
