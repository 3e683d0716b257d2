import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { outboundCallingApi as api } from '../../src/polyai/outbound-calling.ts';
import { createPolyAiClient, type PolyAiClient } from '../../src/polyai/polyai-client.ts';

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const HINTS = 'HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n';
const BODY = '{"status":"success"}';
const ANSWER = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`;

let server: net.Server;
let client: PolyAiClient;
/** What each request is answered with, each part in a packet of its own. */
let parts: readonly string[];
let connections: number;

beforeEach(async () => {
  connections = 0;
  server = net.createServer((socket) => {
    connections++;
    socket.setNoDelay(true).on('error', () => {});
    socket.on('data', async () => {
      for (const part of parts) {
        socket.write(part);
        await wait(20);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const baseUrl = `http://127.0.0.1:${address.port}`;
  client = createPolyAiClient({
    ...{ baseUrl, api, scope: {}, token: 'a-token', timeoutMs: 2_000, connections: 1 },
  });
});

afterEach(async () => {
  await client.destroy();
  server.close();
});

const status = () => client.getStatus('a-call', new AbortController().signal, null);

describe('an answer is read over one connection, again and again, with before it', () => {
  it.each<[string, string[]]>([
    ['nothing', [ANSWER]],
    ['a 100 in the same packet', [CONTINUE + ANSWER]],
    ['a 100 in a packet of its own', [CONTINUE, ANSWER]],
    ['a 103 and a 100', [HINTS + CONTINUE + ANSWER]],
    ['a 100 and a 103', [CONTINUE + HINTS, ANSWER]],
    ['a 100 in two packets', [CONTINUE.slice(0, 10), CONTINUE.slice(10) + ANSWER]],
    ['a 100 whose end comes later', [CONTINUE.slice(0, -2), `\r\n${ANSWER}`]],
    ['a 100 with 2 KB of headers', [`HTTP/1.1 100 Continue\r\nx: ${'y'.repeat(2_000)}\r\n\r\n${ANSWER}`]],
    ['sixty 100s', [CONTINUE.repeat(60) + ANSWER]],
  ])('%s', async (_, given) => {
    parts = given;
    for (let n = 0; n < 3; n++) expect(await status()).toMatchObject({ status: 'success' });
    expect(connections).toBe(1);
  });
});

it('who sends interim answers without an end is no PolyAI, and the next connection is read', async () => {
  parts = [CONTINUE.repeat(4_000), ANSWER];
  await expect(status()).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('interim'),
  });
  parts = [ANSWER];
  expect(await status()).toMatchObject({ status: 'success' });
  expect(connections).toBe(2);
});
