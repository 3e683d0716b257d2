import { type ClientRequest, request as overHttp } from 'node:http';
import { request as overHttps } from 'node:https';
import { isIPv6, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { buildConnector } from 'undici';
import { wordsOf } from '../words.ts';
import type { ProxyServer } from './proxies.ts';

/** There is no connection through the proxy. The message names the proxy, and not what it knows us by. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';
  readonly code: 'PROXY_REFUSES' | 'PROXY_UNREACHABLE';

  constructor(code: ProxyError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface Target {
  hostname: string;
  port: number;
}

const KEEP_ALIVE_MS = 60_000;
const MEANINGS: Readonly<Record<number, string>> = {
  403: 'it forbids the way to',
  407: 'it asks for another user and password in its URL, on the way to',
};

/**
 * Has the proxy connect to the target (CONNECT, RFC 9110 9.3.6), for http as for https: a connection then carries our
 * requests alone, as one without a proxy does, and can be left. Rejects with `ProxyError` where it is not there in time.
 */
function openTunnel(proxy: ProxyServer, target: Target, timeoutMs: number): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const name = authority(proxy);
  const asked = connectRequest(proxy, authority(target));
  const timer = setTimeout(() => asked.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  asked.once('connect', ({ statusCode = 0 }, socket: Duplex, head: Buffer) => {
    clearTimeout(timer);
    if (statusCode === 200 && isSocket(socket)) return resolve(ready(socket, head));
    socket.destroy();
    const meaning = MEANINGS[statusCode] ?? 'instead of leading to';
    const said = `the proxy ${name} answers ${statusCode}: ${meaning} ${authority(target)}`;
    reject(new ProxyError('PROXY_REFUSES', said));
  });
  asked.once('error', (error) => {
    clearTimeout(timer);
    reject(new ProxyError('PROXY_UNREACHABLE', `the proxy ${name}: ${wordsOf(error)}`, { cause: error }));
  });
  asked.end();
  return promise;
}

/** Connects through the proxy as `direct` does without one; `timeoutMs` is for the way to the server. */
export function tunnelled(
  proxy: ProxyServer,
  direct: buildConnector.connector,
  timeoutMs: number,
): buildConnector.connector {
  return (options, callback) => {
    const { protocol, hostname } = options;
    const isTls = protocol === 'https:';
    const port = Number(options.port) || (isTls ? 443 : 80);
    openTunnel(proxy, { hostname, port }, timeoutMs).then(
      (socket) => (isTls ? direct({ ...options, httpSocket: socket }, callback) : callback(null, socket)),
      (error: Error) => callback(error, null),
    );
  };
}

function connectRequest(proxy: ProxyServer, path: string): ClientRequest {
  const { hostname, port, isTls, authorization } = proxy;
  const headers = { host: path, ...(authorization === null ? {} : { 'proxy-authorization': authorization }) };
  return (isTls ? overHttps : overHttp)({ hostname, port, method: 'CONNECT', path, headers, agent: false });
}

function ready(socket: Socket, head: Buffer): Socket {
  if (head.length > 0) socket.unshift(head);
  return socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
}

/** Node types what it gives as a stream; it is the connection to the proxy. */
function isSocket(stream: Duplex): stream is Socket {
  return 'setNoDelay' in stream;
}

function authority({ hostname, port }: Target): string {
  return `${isIPv6(hostname) ? `[${hostname}]` : hostname}:${port}`;
}
