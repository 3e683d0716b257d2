import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { type RetryBounds, retryDelay } from '../../backoff.ts';
import { ArchiveClosedError } from '../errors.ts';
import { consequencesOf } from '../sql-states.ts';

const RETRY: RetryBounds = { firstMs: 100, maxMs: 2_000 };
/** An attempt that has no answer for so long says that writes are away, before its time-out does. */
const STUCK_AFTER_MS = 8_000;
/** So often is tried again what may be one row's fault, before the rows are tried apart. */
const TRIES_TOGETHER = 3;

/** Tries of one write, again and again until it is decided. */
export interface Attempts {
  /**
   * Does the work until it succeeds, and gives what it gives. Rejects with what Postgres says of these rows themselves
   * (or may: of an error that nobody knows), and with `ArchiveClosedError` once the writer is closed.
   */
  untilDecided<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Waits after so many tries in a row. Rejects with `ArchiveClosedError` once the writer is closed. */
  pause(tries: number, bounds: RetryBounds): Promise<void>;
  /** Writes fail and are tried again, or one has no answer for 8 s. */
  readonly isAway: boolean;
}

export function createAttempts({
  closing,
  onRetry,
  log,
}: {
  closing: AbortSignal;
  onRetry: () => void;
  log: Logger;
}): Attempts {
  /** When each attempt that runs began, the oldest first. */
  const running = new Set<{ since: number }>();
  let failing = false;

  async function untilDecided<Result>(work: () => Promise<Result>): Promise<Result> {
    for (let tries = 1; ; tries++) {
      try {
        const result = await once(work);
        if (failing) log.info('writes succeed again');
        failing = false;
        return result;
      } catch (error) {
        const { retry } = consequencesOf(error);
        const isDecided = retry === 'never' || (retry === 'apart' && tries === TRIES_TOGETHER);
        if (isDecided || error instanceof ArchiveClosedError) throw error;
        onRetry();
        if (retry === 'again') fail(error);
        await pause(tries, RETRY);
      }
    }
  }

  /** One line per change of state, not one per attempt. */
  function fail(error: unknown): void {
    if (!failing) log.warn({ err: error }, 'write failed: trying again until it succeeds');
    failing = true;
  }

  async function once<Result>(work: () => Promise<Result>): Promise<Result> {
    const attempt = { since: performance.now() };
    running.add(attempt);
    return unlessClosed(work()).finally(() => running.delete(attempt));
  }

  /** Not by a race against one promise for all, which would keep what each batch brought. */
  function unlessClosed<Result>(work: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const giveUp = () => reject(new ArchiveClosedError());
      if (closing.aborted) giveUp();
      closing.addEventListener('abort', giveUp, { once: true });
      work.then(resolve, reject).finally(() => closing.removeEventListener('abort', giveUp));
    });
  }

  async function pause(tries: number, bounds: RetryBounds): Promise<void> {
    await sleep(retryDelay(tries, bounds, Math.random), undefined, { signal: closing }).catch(() => {
      throw new ArchiveClosedError();
    });
  }

  return {
    untilDecided,
    pause,
    get isAway() {
      const [oldest] = running;
      return failing || (oldest !== undefined && performance.now() - oldest.since > STUCK_AFTER_MS);
    },
  };
}
