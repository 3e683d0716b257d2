import type { Logger } from 'pino';
import type { OverdueCalls } from '../archive/overdue.ts';
import type { Clock } from '../clock.ts';
import { createRounds, type Rounds } from './rounds.ts';

/** What is measured of the sweeper. */
export interface SweepMetrics {
  sweptUp(calls: number): void;
}

export interface SweeperOptions {
  overdue: OverdueCalls;
  requeue: (callSids: readonly string[]) => Promise<void>;
  everyMs: number;
  /** Nobody else can be following anything: the first sweep takes up every unsettled call, whatever was promised. */
  alone: boolean;
  metrics: SweepMetrics;
  clock: Clock;
  log: Logger;
}

/**
 * Finds calls that nobody follows: registered while the queue was away, forgotten by a queue that was flushed, or left
 * behind by a process that died. Postgres knows them by a `followed_until` that has passed.
 */
export function createSweeper({
  overdue,
  requeue,
  everyMs,
  alone,
  metrics,
  clock,
  log,
}: SweeperOptions): Rounds {
  let includeFollowed = alone;

  async function work(): Promise<void> {
    if (await sweep()) includeFollowed = false;
  }

  async function sweep(): Promise<boolean> {
    let found = 0;
    try {
      const swept = await overdue.sweep(
        async (callSids) => {
          found += callSids.length;
          await requeue(callSids);
          metrics.sweptUp(callSids.length);
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

  return createRounds({ work, everyMs, clock });
}
