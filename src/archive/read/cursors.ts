/** Where a page of calls ended. Opaque to clients. */
export interface Position {
  registeredAt: Date;
  callSid: string;
}

export function encodeCursor({ registeredAt, callSid }: Position): string {
  return Buffer.from(JSON.stringify([registeredAt.getTime(), callSid])).toString('base64url');
}

/** The position, or null where the text is no cursor of ours. */
export function decodeCursor(text: string): Position | null {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    if (!Array.isArray(parsed) || parsed.length !== 2) return null;
    const [time, callSid]: unknown[] = parsed;
    if (!Number.isSafeInteger(time) || typeof time !== 'number' || typeof callSid !== 'string') return null;
    const position = { registeredAt: new Date(time), callSid };
    // The one spelling of each position: what decodes but was not made by us is refused too.
    return isPossible(position) && encodeCursor(position) === text ? position : null;
  } catch {
    return null;
  }
}

/** A position that a call can have, and that Postgres can compare with. */
function isPossible({ registeredAt, callSid }: Position): boolean {
  const year = registeredAt.getUTCFullYear();
  return year >= 1 && year <= 9999 && /^[^\p{Cc}\p{Cs}]+$/u.test(callSid);
}
