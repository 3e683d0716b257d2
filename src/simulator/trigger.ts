import type { IncomingHttpHeaders } from 'node:http';
import type { Fault } from './fault.ts';
import type { WebRequest } from './web-server.ts';

/** What can be wrong with a trigger. */
export type TriggerFault =
  | Extract<Fault, { kind: 'status' | 'hang' | 'reset' | 'html' }>
  /** The call is placed at once, and the answer late. */
  | Extract<Fault, { kind: 'delay' }>
  /** The call is placed, and the connection cut before the answer: to the client it looks like a `reset`. */
  | { kind: 'placed-then-cut' };

/** One trigger request as it came. */
export interface TriggerEntry {
  /** When it came, in milliseconds since the epoch. */
  at: number;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  /** The call it placed, whether or not the client was told; null where it placed none. */
  callSid: string | null;
}

/** Whether a call is placed though the fault strikes its trigger. */
export function isPlacing(fault: TriggerFault): boolean {
  return fault.kind === 'delay' || fault.kind === 'placed-then-cut';
}

/** What a request holds, as it came; null where the client went away in the middle of it. */
export async function readText(request: WebRequest): Promise<string | null> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk);
  } catch {
    return null;
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The fields of a JSON object; none where the text is no such thing. */
export function jsonFields(text: string): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === 'object' && json !== null ? { ...json } : {};
  } catch {
    return {};
  }
}
