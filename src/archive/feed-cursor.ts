/** After which transition a page of the feed begins; `xid` is text, since it is wider than a number. */
export interface FeedPosition {
  xid: string;
  callSid: string;
  seq: number;
}

/** Before the very first transition. */
export const FEED_START: FeedPosition = { xid: '0', callSid: '', seq: 0 };

const MAX_XID = 2n ** 64n - 1n;
const MAX_SEQ = 2 ** 31 - 1;

export function encodeFeedCursor({ xid, callSid, seq }: FeedPosition): string {
  return Buffer.from(JSON.stringify([xid, callSid, seq])).toString('base64url');
}

/** The position, or null where the text is no cursor of the feed. */
export function decodeFeedCursor(text: string): FeedPosition | null {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    if (!Array.isArray(parsed) || parsed.length !== 3) return null;
    const [xid, callSid, seq]: unknown[] = parsed;
    if (typeof xid !== 'string' || typeof callSid !== 'string' || typeof seq !== 'number') return null;
    const position = { xid, callSid, seq };
    // The one spelling of each position: what decodes but was not made by us is refused too.
    return isPossible(position) && encodeFeedCursor(position) === text ? position : null;
  } catch {
    return null;
  }
}

function isPossible({ xid, callSid, seq }: FeedPosition): boolean {
  return (
    /^(0|[1-9]\d{0,19})$/.test(xid) &&
    BigInt(xid) <= MAX_XID &&
    /^[^\p{Cc}\p{Cs}]*$/u.test(callSid) &&
    Number.isInteger(seq) &&
    seq >= 0 &&
    seq <= MAX_SEQ
  );
}
