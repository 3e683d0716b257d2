import type { Logger } from 'pino';
import { batched } from '../archive/batch.ts';
import type { CallQueue } from './call-queue.ts';

/**
 * Tells the queue of calls. Requests do not wait for it, and a queue that is away is no error: Postgres is the truth.
 */
interface Dispatch {
  /** Has calls followed soon. Where the queue is away, the sweeper brings them in. */
  followSoon(callSids: readonly string[]): void;
  /** Has nobody follow a call any more. Where the queue is away, its follower finds no call at its next write. */
  stopFollowing(callSid: string): void;
}

export function createDispatch(queue: Pick<CallQueue, 'enqueue' | 'remove'>, log: Logger): Dispatch {
  // With a round trip per call, Redis' client would take longer than all else that a registration does.
  const enqueueTogether = batched(async (groups: readonly (readonly string[])[]) => {
    await queue.enqueue(groups.flat());
    return groups;
  });

  return {
    followSoon(callSids) {
      if (callSids.length === 0) return;
      enqueueTogether(callSids).catch((error: unknown) => {
        // The queue itself says once that it is away, and not for each registration.
        log.debug(
          { err: error, calls: callSids.length },
          'not enqueued: the sweeper will bring the calls in',
        );
      });
    },
    stopFollowing(callSid) {
      queue.remove(callSid).catch((error: unknown) => {
        log.debug({ callSid, err: error }, 'not taken out of the queue: its follower will find no call');
      });
    },
  };
}
