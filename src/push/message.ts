import { createHash } from 'node:crypto';
import type { CallEvent } from '../call/event.ts';

/** What a receiver is sent: the same for all attempts, as far as the archive still says so. */
export interface Message {
  id: string;
  body: string;
}

/** What an event is known by. */
interface EventName {
  event: CallEvent;
  /** Number of the call in the archive. */
  callId: string;
  seq: number;
  occurredAt: Date;
}

/** Of a call's event, as the archive tells it. */
export interface EventText extends EventName {
  /** What is told, a JSON object. */
  json: string;
  /** The transitions that belong into it, without brackets; null where none do. */
  history: string | null;
}

const MAX_BYTES = 20_000;

/** `archive`: its id, since two archives may tell the same receiver. */
export function messageOf(archive: string, told: EventText): Message {
  const body = (json: string) =>
    `{"type":"${told.event}","timestamp":"${told.occurredAt.toISOString()}","data":${json}}`;
  const whole = body(
    told.history === null ? told.json : withFields(told.json, `"transitions":[${told.history}]`),
  );
  const fits = Buffer.byteLength(whole) <= MAX_BYTES;
  return { id: messageId(archive, told), body: fits ? whole : body(truncated(told.json)) };
}

/** The same whenever it is sent: of two settlements of one call, the later one settled at another time. */
export function messageId(archive: string, { event, callId, seq, occurredAt }: EventName): string {
  const named = [archive, event, callId, seq, occurredAt.getTime()].join(' ');
  return `msg_${createHash('sha256').update(named).digest('base64url').slice(0, 27)}`;
}

/** Without transitions; and without metadata, where a trigger had so many that they alone are too much. */
function truncated(json: string): string {
  const short = withFields(json, '"truncated":true');
  if (Buffer.byteLength(short) <= MAX_BYTES * 0.95) return short;
  const { metadata: _, ...rest }: Record<string, unknown> = JSON.parse(short);
  return JSON.stringify(rest);
}

function withFields(json: string, fields: string): string {
  return `${json.slice(0, -1)},${fields}}`;
}
