import { createSecureServer } from 'node:http2';
import { createServer, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Answers, type LifeTime, type Report, type Trouble } from './answers.ts';
import { Delay } from './delay.ts';
import { serveHttp1 } from './http1.ts';
import { serveHttp2 } from './http2.ts';

/**
 * A PolyAI light enough not to be what is measured. It answers status requests for the calls of `lives.ts`, and counts
 * them. Its parent tells it by IPC what it is to speak, and asks it.
 */

export interface Spoken {
  /** null: plain HTTP/1.1. With `http2` that alone is offered, else HTTP/1.1 alone. */
  tls: { key: string; cert: string; http2: boolean } | null;
  /** After so long each request is answered. */
  latencyMs: number;
}

export type Command =
  | { kind: 'speak'; spoken: Spoken }
  | { kind: 'report' }
  | { kind: 'intervals'; on: boolean }
  | { kind: 'trouble'; trouble: Trouble }
  | { kind: 'latency'; ms: number }
  | { kind: 'lives'; lifeTime: LifeTime };

export type Reply = { port: number } | Report;

/** As load balancers allow it. */
const MAX_STREAMS = 128;
const answers = new Answers();
const delay = new Delay(0);

function serverOf({ tls }: Spoken): Server {
  const onSocket = (socket: Parameters<typeof serveHttp1>[0]) => serveHttp1(socket, answers, delay);
  if (tls === null) return createServer({ noDelay: true }, onSocket);
  const { key, cert } = tls;
  if (!tls.http2) return createTlsServer({ key, cert, ALPNProtocols: ['http/1.1'], noDelay: true }, onSocket);
  const server = createSecureServer({ key, cert, settings: { maxConcurrentStreams: MAX_STREAMS } });
  server.on('session', (session) => {
    const peer = { countedIn: 0 };
    session.on('error', () => {});
    session.on('stream', (stream, headers) => serveHttp2(stream, headers, { answers, peer }, delay));
  });
  return server;
}

function tell(reply: Reply): void {
  process.send?.(reply);
}

process.on('message', (command: Command) => {
  if (command.kind === 'speak') {
    delay.ms = command.spoken.latencyMs;
    const server = serverOf(command.spoken);
    server.on('tlsClientError', () => {});
    server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => {
      const address = server.address();
      if (typeof address === 'object' && address !== null) tell({ port: address.port });
    });
    return;
  }
  if (command.kind === 'intervals') answers.keepIntervals(command.on);
  if (command.kind === 'trouble') answers.setTrouble(command.trouble);
  if (command.kind === 'lives') answers.setLifeTime(command.lifeTime);
  if (command.kind === 'latency') delay.ms = command.ms;
  tell(answers.report());
});
process.on('disconnect', () => process.exit(0));
