/** So much of an answer is kept. */
const KEPT_BYTES = 1_024;
/** A secret that is cut off at the end of what was read is cut off from what is kept. */
export const READ_FOR_KEPT_BYTES = KEPT_BYTES + 128;

/** What is kept of a receiver's answer: its first KB, without the secrets that it may repeat. */
export function keptOf(answer: string, keys: readonly Buffer[]): string {
  let text = answer;
  for (const key of keys) {
    for (const form of ['base64', 'base64url', 'hex'] as const) {
      text = text.replaceAll(key.toString(form), '[secret]');
    }
  }
  const bytes = Buffer.from(text);
  return bytes.length <= KEPT_BYTES ? text : bytes.subarray(0, KEPT_BYTES).toString('utf8');
}
