import { isStorableTime } from '../../call/limits.ts';

/** Positions as text that is opaque to clients. A text that was given out once goes on being read. */
export interface Cursor<Position> {
  encode(position: Position): string;
  /** null where the text is no cursor of this kind. Never throws. */
  decode(text: string): Position | null;
}

/** Where a page of the list of calls ended. */
export interface Position {
  registeredAt: Date;
  id: string;
}

/** After which transition a page of the feed begins. */
export interface FeedPosition {
  xid: string;
  callId: string;
  seq: number;
}

/** Before the very first transition. */
export const FEED_START: FeedPosition = { xid: '0', callId: '0', seq: 0 };

/** Below 0 where `a` comes before `b` in the feed, 0 where they are the same place. */
export function comparePositions(a: FeedPosition, b: FeedPosition): number {
  return (
    compare(BigInt(a.xid), BigInt(b.xid)) || compare(BigInt(a.callId), BigInt(b.callId)) || a.seq - b.seq
  );
}

function compare(a: bigint, b: bigint): number {
  return Number(a > b) - Number(a < b);
}

/** What Postgres can compare with. Numbers of so many digits are text here: JavaScript's own are narrower. */
const MAX_XID = 2n ** 64n - 1n;
const MAX_ID = 2n ** 63n - 1n;
const MAX_SEQ = 2 ** 15 - 1;

export const callCursor = cursor<Position>(
  ({ registeredAt, id }) => [registeredAt.getTime(), id],
  ([time, id]) => {
    if (typeof time !== 'number' || !isCount(id, MAX_ID)) return null;
    const registeredAt = new Date(time);
    return isStorableTime(registeredAt) ? { registeredAt, id } : null;
  },
);

export const feedCursor = cursor<FeedPosition>(
  ({ xid, callId, seq }) => [xid, callId, seq],
  ([xid, callId, seq]) =>
    isCount(xid, MAX_XID) && isCount(callId, MAX_ID) && isSeq(seq) ? { xid, callId, seq } : null,
);

/** Of a list of deliveries: the id of the last one. */
export const deliveryCursor = cursor<string>(
  (id) => [id],
  ([id]) => (isCount(id, MAX_ID) ? id : null),
);

/**
 * A cursor of positions that `write` makes a tuple of. `read` gives the position of a tuple, or null where Postgres
 * could not compare with it.
 */
function cursor<Position>(
  write: (position: Position) => readonly unknown[],
  read: (tuple: readonly unknown[]) => Position | null,
): Cursor<Position> {
  const encode = (position: Position) => Buffer.from(JSON.stringify(write(position))).toString('base64url');
  return {
    encode,
    decode(text) {
      const position = read(tupleIn(text));
      // Each position has one spelling: what can be read but was not made by us is refused too.
      return position !== null && encode(position) === text ? position : null;
    },
  };
}

/** Empty where the text holds no tuple. */
function tupleIn(text: string): readonly unknown[] {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    return Array.isArray(parsed) ? parsed : [];
  } catch {
    return [];
  }
}

function isCount(value: unknown, max: bigint): value is string {
  return typeof value === 'string' && /^(0|[1-9]\d{0,19})$/.test(value) && BigInt(value) <= max;
}

function isSeq(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_SEQ;
}
