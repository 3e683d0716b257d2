/**
 * A call's job id in BullMQ: its callSid, as far as BullMQ takes it. BullMQ refuses ids with a colon and ids that are
 * whole numbers (https://docs.bullmq.io/guide/jobs/job-ids); a callSid may be anything. No two callSids share a job id,
 * since encodeURIComponent never gives a `#`.
 */
export function jobIdOf(callSid: string): string {
  const encoded = encodeURIComponent(callSid);
  return `${Number.parseInt(encoded, 10)}` === encoded ? `#${encoded}` : encoded;
}
