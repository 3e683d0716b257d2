/** What the archive can hold of a call: the limits of a callSid, of text and of times. Each is said here alone. */

/** Of a callSid. PolyAI's are some 40 long. */
export const MAX_CALL_SID_LENGTH = 200;

/**
 * A callSid, as the pattern of a JSON Schema. PolyAI's are a UUID, or `OUT-` and one: wider than that, since they are
 * documented as opaque, and as narrow as tells an id from a line of some file, and goes into a path as it is. Not `.` or
 * `..`, which every HTTP client takes out of a path.
 */
export const CALL_SID_PATTERN = '^(?!\\.{1,2}$)[A-Za-z0-9_.:~-]+$';

/** What a callSid can begin with, likewise. */
export const CALL_SID_PREFIX_PATTERN = '^[A-Za-z0-9_.:~-]+$';

/**
 * A character that Postgres can keep, in the words of a pattern (with the flag `u`): neither `text` nor `jsonb` takes a
 * NUL, and a lone surrogate has no UTF-8.
 */
export const STORABLE_CHARACTER = '[^\\u0000\\p{Cs}]';

/** Text that Postgres can keep, as the pattern of a JSON Schema (with the flag `u`). */
export const STORABLE_PATTERN = `^${STORABLE_CHARACTER}*$`;

/** ISO 8601 writes years with four digits, and Postgres has no year 0. */
export const FIRST_TIME = new Date('0001-01-01T00:00:00.000Z');
const LAST_TIME = new Date('9999-12-31T23:59:59.999Z');

const CALL_SID = new RegExp(CALL_SID_PATTERN);

export function isCallSid(text: string): boolean {
  return text.length <= MAX_CALL_SID_LENGTH && CALL_SID.test(text);
}

/** Whether Postgres and JSON can hold the time; false for an invalid Date. */
export function isStorableTime(time: Date): boolean {
  return time >= FIRST_TIME && time <= LAST_TIME;
}

/** The text as Postgres can keep it, with U+FFFD in the place of what it cannot. */
export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}

/** Of a call's metadata, in bytes as JSON. */
export const MAX_METADATA_BYTES = 8 * 1024;
