/**
 * A call's job id in BullMQ: its callSid, as far as BullMQ takes it. BullMQ refuses ids with a colon and ids that are
 * whole numbers ("Custom Id cannot be integers"); callSids are opaque and may be either. No two callSids share an id:
 * a `#` never comes out of encodeURIComponent.
 */
export function jobIdOf(callSid: string): string {
  const encoded = encodeURIComponent(callSid);
  return `${Number.parseInt(encoded, 10)}` === encoded ? `#${encoded}` : encoded;
}
