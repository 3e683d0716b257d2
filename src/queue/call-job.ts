import type { HandedOn } from '../follow/lease.ts';
import { jobIdOf } from './job-id.ts';

export const QUEUE_NAME = 'calls';

/** What a job in BullMQ holds. */
export interface CallJob {
  callSid: string;
  /** A hint from the last lease; null where there was none. */
  handedOn: HandedOn | null;
}

/** A job to be added. To add one that BullMQ has does nothing. */
export function jobOf(callSid: string, handedOn: HandedOn | null) {
  const opts = { jobId: jobIdOf(callSid), removeOnComplete: true, removeOnFail: true };
  return { name: 'follow', data: { callSid, handedOn }, opts };
}
