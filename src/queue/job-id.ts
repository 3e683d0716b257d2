import { QueueKeys } from 'bullmq';

/** BullMQ's own keys lie beside those of the jobs: a job `wait` would have the key of the list of waiting jobs. */
const TAKEN = new Set(Object.keys(new QueueKeys().getKeys('')));

/**
 * A call's job id in BullMQ: its callSid, as far as BullMQ takes it. BullMQ refuses ids with a colon and ids that are
 * whole numbers (https://docs.bullmq.io/guide/jobs/job-ids), and a job with the name of one of its keys stops the queue;
 * a callSid may be all of that. No two callSids share a job id, since encodeURIComponent never gives a `#`.
 */
export function jobIdOf(callSid: string): string {
  const encoded = encodeURIComponent(callSid);
  const isRefused = `${Number.parseInt(encoded, 10)}` === encoded || TAKEN.has(encoded);
  return isRefused ? `#${encoded}` : encoded;
}
