import { isStorableTime, storableText } from '../call/limits.ts';
import { PolyAiError } from './polyai-error.ts';

/** What a body tells. */
export interface Sight {
  /** Trimmed and lower-cased. */
  status: string;
  /** null where PolyAI gave none, or an empty one. */
  reason: string | null;
  createdAt: Date | null;
  lastUpdated: Date | null;
  /** The whole body. */
  payload: unknown;
}

/** A status as PolyAI showed it. */
export interface Observation extends Sight {
  /** The body's text as it came. */
  body: string;
}

const MAX_STATUS_LENGTH = 200;
const MAX_DEPTH = 32;

/**
 * Reads a body with the fields that PolyAI's APIs have in common; those that one of them lacks are null. Throws
 * `malformed` where it is no status of this call.
 */
export function readSight(callSid: string, body: unknown): Sight {
  const payload = storableObject(body);
  checkCallSid(payload, callSid);
  return {
    status: readStatus(payload),
    reason: readText(payload.reason),
    createdAt: readTime(payload.created_at),
    lastUpdated: readTime(payload.last_updated),
    payload,
  };
}

export type JsonObject = Record<string, unknown>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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
    if (given !== undefined && given !== null && given !== callSid) {
      throw new PolyAiError('malformed', `the body's "${key}" is not that of this call`);
    }
  }
}

export function readText(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** An ISO 8601 time; without an offset it is UTC. Anything else, or what Postgres cannot hold, is null. */
export function readTime(value: unknown): Date | null {
  if (typeof value !== 'string' || !/^\d{4}-\d{2}-\d{2}T/.test(value)) return null;
  const time = new Date(/(Z|[+-]\d{2}:?\d{2})$/i.test(value) ? value : `${value}Z`);
  return isStorableTime(time) ? time : null;
}

/** jsonb takes no NUL and no lone surrogate, and neither it nor JSON.stringify bottomless nesting. */
function storable(value: unknown, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new PolyAiError('malformed', 'the body is nested too deeply');
  if (typeof value === 'string') return storableText(value);
  if (Array.isArray(value)) return value.map((item) => storable(item, depth + 1));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [storableText(key), storable(item, depth + 1)]),
  );
}
