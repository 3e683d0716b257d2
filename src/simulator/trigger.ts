import type { IncomingMessage } from 'node:http';

const E164 = /^\+[1-9]\d{1,14}$/;

/** The number that a trigger request asks to call; null where its body has no valid one. */
export async function numberToCall(request: IncomingMessage): Promise<string | null> {
  const body = await readJson(request);
  const number = typeof body === 'object' && body !== null && 'to_number' in body ? body.to_number : null;
  return typeof number === 'string' && E164.test(number) ? number : null;
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk);
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    // No JSON, or a client that went away in the middle of it.
    return undefined;
  }
}
