import { createServer as createHttpServer, type IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { constants, createSecureServer, Http2ServerRequest, type Http2Session } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** A request, over HTTP/1.1 or HTTP/2. */
export interface WebRequest extends AsyncIterable<Buffer> {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/** Its answer. */
export interface WebResponse {
  statusCode: number;
  writeContinue(): unknown;
  writeEarlyHints(hints: Record<string, string>): unknown;
  setHeader(name: string, value: string | number): unknown;
  write(chunk: string | Buffer, sent?: () => void): unknown;
  end(): unknown;
  end(chunk: string | Buffer): unknown;
  once(event: 'close' | 'finish', listener: () => void): unknown;
}

export interface WebServerOptions {
  host: string;
  /** 0: one that is free. */
  port: number;
  /** For https; `http2`: it is offered beside HTTP/1.1. */
  tls?: { key: string; cert: string; http2: boolean } | undefined;
}

export interface WebServer {
  readonly url: string;
  /**
   * From now on nothing goes out over the connections that are open, and the requests that come over them are
   * silent. New connections are as before. Over HTTP/2 pings are answered all the same.
   */
  freezeConnections(): void;
  /** For how long nothing has been answered over the request's connection; null where that is not frozen. */
  silentMs(request: WebRequest): number | null;
  /** Cuts what is still open. */
  stop(): Promise<void>;
}

/** Rejects where the port is taken. */
export async function startWebServer(
  { host, port, tls }: WebServerOptions,
  onRequest: (request: WebRequest, response: WebResponse) => void,
): Promise<WebServer> {
  const sockets = new Set<Socket>();
  const sessions = new Set<Http2Session>();
  /** Answers that are not out yet. */
  const answers = new Set<WebResponse>();
  /** With the time of the first request that got no answer, by `performance.now()`. */
  const frozen = new WeakMap<Socket | Http2Session, { unansweredSince: number | null }>();

  function listener(request: WebRequest, response: WebResponse): void {
    answers.add(response);
    response.once('close', () => answers.delete(response));
    if (frozen.has(connectionOf(request))) mute(response);
    onRequest(request, response);
  }

  const server = createServer(tls, listener);
  server.on('connection', (socket: Socket) => keep(sockets, socket));
  server.on('secureConnection', (socket: Socket) => keep(sockets, socket));
  server.on('session', (session: Http2Session) => keep(sessions, session));
  await new Promise<void>((listening, fail) => {
    server.once('error', fail);
    server.listen({ port, host, backlog: 4_096 }, listening);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');

  return {
    url: `http${tls === undefined ? '' : 's'}://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    freezeConnections() {
      for (const connection of [...sockets, ...sessions]) {
        if (!frozen.has(connection)) frozen.set(connection, { unansweredSince: null });
      }
      for (const response of answers) mute(response);
    },
    silentMs(request) {
      const connection = frozen.get(connectionOf(request));
      if (connection === undefined) return null;
      connection.unansweredSince ??= performance.now();
      return performance.now() - connection.unansweredSince;
    },
    async stop() {
      const closed = new Promise((done) => server.close(done));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

const KEEP_ALIVE = { keepAliveTimeout: 60_000 };

function createServer(
  tls: WebServerOptions['tls'],
  listener: (request: WebRequest, response: WebResponse) => void,
) {
  if (tls === undefined) return createHttpServer(KEEP_ALIVE, listener);
  if (!tls.http2) return createHttpsServer({ ...tls, ...KEEP_ALIVE }, listener);
  return createSecureServer({ ...tls, allowHTTP1: true }, listener);
}

/** Nothing more goes out of it. */
function mute(response: WebResponse): void {
  response.write = () => {};
  response.end = () => {};
}

function keep<Kept extends Socket | Http2Session>(all: Set<Kept>, one: Kept): void {
  all.add(one);
  one.once('close', () => all.delete(one));
}

function connectionOf(request: WebRequest): Socket | Http2Session {
  if (request instanceof IncomingMessage) return request.socket;
  if (request instanceof Http2ServerRequest && request.stream.session !== undefined)
    return request.stream.session;
  throw new TypeError('the request has no connection');
}

/** Breaks the answer off, with its connection; over HTTP/2 with its stream. `byReset` is for plain HTTP: by RST. */
export function cutOff(request: WebRequest, { byReset }: { byReset: boolean }): void {
  if (request instanceof Http2ServerRequest) request.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  if (!(request instanceof IncomingMessage)) return;
  const { socket } = request;
  if (byReset && !(socket instanceof TLSSocket)) socket.resetAndDestroy();
  else socket.destroy();
}

/** Calls the listener once the answer is out to the last byte, and never where it was broken off before. */
export function onceSent(request: WebRequest, response: WebResponse, listener: () => void): void {
  if (!(request instanceof Http2ServerRequest)) {
    response.once('finish', listener);
    return;
  }
  const { stream } = request;
  stream.once('close', () => {
    if (!stream.aborted && stream.rstCode === constants.NGHTTP2_NO_ERROR) listener();
  });
}
