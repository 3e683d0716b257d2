import type { Observation } from '../call/call.ts';
import { isStorableTime, storableText } from '../call/limits.ts';
import { parseJson } from './json.ts';
import { PolyAiError } from './polyai-error.ts';

const MAX_STATUS_LENGTH = 200;
/** Of a reason, in characters: each call that is followed has its own in memory. The payload has it whole. */
const MAX_REASON_LENGTH = 1_000;
const MAX_DEPTH = 32;

/**
 * Reads the fields that the bodies of PolyAI's APIs have in common; a field that one of them lacks is null. Throws
 * `PolyAiError` `malformed` where the text is no status of this call.
 */
export function observe(callSid: string, body: string): Observation {
  const json = parseJson(body);
  if (json === undefined) throw new PolyAiError('malformed', '200 with a body that is not JSON');
  const payload = storableObject(json);
  checkCallSid(payload, callSid);
  return {
    status: readStatus(payload),
    reason: readReason(payload.reason),
    createdAt: readTime(payload.created_at),
    lastUpdated: readTime(payload.last_updated),
    payload,
    body,
  };
}

type JsonObject = Record<string, unknown>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether an error's body is PolyAI's own, and not that of a gateway: an object with a message, in any of its APIs. */
export function isPolyAisError(body: unknown): boolean {
  return isObject(body) && ['error', 'error_message', 'message'].some((key) => key in body);
}

/** The body as an object that Postgres can keep as jsonb; throws `malformed`. */
function storableObject(body: unknown): JsonObject {
  if (!isObject(body)) throw new PolyAiError('malformed', 'the body is no JSON object');
  const copy = storable(body, 0);
  if (!isObject(copy)) throw new PolyAiError('malformed', 'the body is no JSON object');
  return copy;
}

function readStatus(body: JsonObject): string {
  const { status } = body;
  if (typeof status !== 'string') throw new PolyAiError('malformed', 'the body has no string "status"');
  const text = status.trim().toLowerCase();
  if (text === '' || text.length > MAX_STATUS_LENGTH) {
    throw new PolyAiError('malformed', 'the "status" is empty or too long');
  }
  return text;
}

/** Throws `malformed` when the body names another call: a proxy or cache mixed up its answers. */
function checkCallSid(body: JsonObject, callSid: string): void {
  for (const key of ['callSid', 'call_sid']) {
    const given = body[key];
    if (given !== undefined && given !== null && !isSameCallSid(given, callSid)) {
      throw new PolyAiError('malformed', `the body's "${key}" is not that of this call`);
    }
  }
}

/** PolyAI may answer in another case than it was asked in. */
function isSameCallSid(given: unknown, callSid: string): boolean {
  return typeof given === 'string' && given.toLowerCase() === callSid.toLowerCase();
}

export function readText(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function readReason(value: unknown): string | null {
  const reason = readText(value);
  return reason === null ? null : firstOf(reason, MAX_REASON_LENGTH);
}

/** The first characters of a text, as a text of its own: V8's `slice` would keep the whole one in memory. */
export function firstOf(text: string, length: number): string {
  if (text.length <= length) return text;
  return Buffer.from(text.slice(0, length).toWellFormed()).toString();
}

/** An ISO 8601 time; without an offset it is UTC. Anything else, or what Postgres cannot hold, is null. */
function readTime(value: unknown): Date | null {
  if (typeof value !== 'string' || !/^\d{4}-\d{2}-\d{2}T/.test(value)) return null;
  const time = new Date(/(Z|[+-]\d{2}:?\d{2})$/i.test(value) ? value : `${value}Z`);
  return isStorableTime(time) ? time : null;
}

/**
 * The value with text that jsonb takes. Throws `malformed` where it is nested deeper than jsonb and JSON.stringify go.
 */
function storable(value: unknown, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new PolyAiError('malformed', 'the body is nested too deeply');
  if (typeof value === 'string') return storableText(value);
  if (Array.isArray(value)) return value.map((item) => storable(item, depth + 1));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [storableText(key), storable(item, depth + 1)]),
  );
}
