import type { Sighting } from '../../call/call.ts';

/** With both halves of a pair, one code alone, or any other character behind the backslash. */
const ESCAPE = /\\(?:ud[89ab][\da-f]{2}\\ud[c-f][\da-f]{2}|u([\da-f]{4})|.)/gi;
const NUL_OR_HALF = /^(0000|d[89a-f]..)$/i;
/** Some of these are beyond the numbers of Postgres: 131,072 digits before the point, 16,383 behind it. */
const VERY_LONG_NUMBER = /\d[eE][+-]?\d{5,}|\.\d{6000,}/;

/**
 * The body as jsonb takes it: numbers stay as they came, and U+FFFD stands for a NUL and for half a surrogate pair. A
 * number that Postgres may not have is as JavaScript has it.
 */
export function payloadText({ body, payload }: Sighting): string {
  if (VERY_LONG_NUMBER.test(body)) return JSON.stringify(payload);
  return body.replace(/^\uFEFF/, '').replace(ESCAPE, storable);
}

function storable(written: string, code: string | undefined): string {
  return code !== undefined && NUL_OR_HALF.test(code) ? '\\ufffd' : written;
}
