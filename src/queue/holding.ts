import { within } from '../clock.ts';
import type { Follow, HandedOn } from '../follow/lease.ts';
import { QueueUnavailableError } from './call-queue.ts';
import type { Lease, Leases } from './leases.ts';

/** A Redis that is connected may still not answer: a call it did not take back by then is followed on here. */
export const HAND_BACK_WITHIN_MS = 5_000;

interface HoldingOptions {
  leases: Leases;
  follow: Follow;
  /** Whether to hand back is worth a try. */
  takesBack: () => boolean;
  /** Called where Redis refused to take a call back, or did not answer. */
  refused: (error: unknown) => void;
  /** Aborted where the process ends: then a call is let go of though nobody took it back, and the sweeper finds it. */
  closing: AbortSignal;
}

interface HeldCall {
  callSid: string;
  /** As in the calls' BullMQ job. */
  id: string;
  /** Of the lock on the job; null where there is none. */
  token: string | null;
  handedOn: HandedOn | null;
  /** Resolves where the queue has the call again, and rejects where it does not. */
  handBack: (handedOn: HandedOn) => Promise<void>;
}

/**
 * Has a call followed in this process, lease after lease, until the queue takes it back. While Redis is away or refuses,
 * the next lease begins here, so that polling goes on. Where Redis takes a call back later than it was waited for, two
 * followers have it for a while: the archive lets each news in once.
 *
 * Resolves with whether nothing is left to follow. Never rejects.
 */
export async function hold(call: HeldCall, options: HoldingOptions): Promise<boolean> {
  const { leases, follow, closing } = options;
  let { handedOn } = call;
  let lease = leases.begin(call.id, call.token);
  try {
    for (;;) {
      const result = await follow(call.callSid, handedOn, lease.ending.signal);
      if (result.kind === 'done') return true;
      handedOn = result.handOn;
      // Where another worker follows the call, or this one took it up once more, nothing is to be handed back.
      if (!leases.has(lease) || (await isTakenBack(call, handedOn, lease, options))) return false;
      if (!leases.has(lease) || closing.aborted) return false;
      if (lease.ending.signal.aborted) lease = leases.begin(call.id, call.token);
    }
  } finally {
    leases.end(lease);
  }
}

async function isTakenBack(
  { handBack }: HeldCall,
  handedOn: HandedOn,
  lease: Lease,
  { takesBack, refused, closing }: HoldingOptions,
): Promise<boolean> {
  if (!takesBack() && !closing.aborted) return false;
  lease.isBeingHandedBack = true;
  try {
    const taken = handBack(handedOn);
    if (!(await within(HAND_BACK_WITHIN_MS, taken))) throw new QueueUnavailableError('Redis does not answer');
    await taken;
    return true;
  } catch (error) {
    refused(error);
    return false;
  } finally {
    lease.isBeingHandedBack = false;
  }
}
