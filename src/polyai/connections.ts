import type { Socket } from 'node:net';
import { buildConnector, Client, type Dispatcher, errors, Pool } from 'undici';
import type { ProxyServer } from '../network/proxies.ts';
import { tunnelled } from '../network/tunnel.ts';
import { type InterimAnswers, skipInterim } from './interim.ts';

/** A request on its way to PolyAI. */
export class OutgoingRequest implements Dispatcher.DispatchOptions {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Buffer | null;
  /** The connection that it was given to; null while it waits for one. */
  connection: Connection | null = null;

  constructor(
    method: 'GET' | 'POST',
    path: string,
    headers: Record<string, string>,
    body: Buffer | null = null,
  ) {
    this.method = method;
    this.path = path;
    this.headers = headers;
    this.body = body;
  }
}

export interface ConnectionSettings {
  /** For a connection to come about, TLS included. */
  timeoutMs: number;
  /** HTTP/2 is spoken where the server offers it. */
  allowH2: boolean;
  /** By which the server is reached; without it: directly. */
  proxy?: ProxyServer | null;
}

/** What a connection is made of now. */
interface Held {
  socket: Socket | null;
  interim: InterimAnswers | null;
}

/**
 * One connection to PolyAI, which is made anew when it is lost. One request is under way over it at a time, over HTTP/2
 * too: so a connection whose request timed out can be left without breaking off other requests.
 */
export class Connection extends Client {
  readonly #held: Held;

  constructor(origin: string | URL, settings: ConnectionSettings) {
    const held: Held = { socket: null, interim: null };
    const connect = connector(settings);
    super(origin, {
      allowH2: settings.allowH2,
      pipelining: 1,
      // Each answer has a time limit of its own.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect(options, callback) {
        connect(options, (...[error, socket]: [Error, null] | [null, Socket]) => {
          if (error !== null) return callback(error, null);
          held.socket = socket;
          held.interim = skipInterim(socket);
          callback(null, socket);
        });
      },
    });
    this.#held = held;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (options instanceof OutgoingRequest) options.connection = this;
    // The answer before was read to its end: undici gives a connection no second request before that.
    this.#held.interim?.expect();
    return super.dispatch(options, handler);
  }

  /**
   * Closes what it is connected by. A connection may be dead though nobody closed it: a firewall forgot it, or the server
   * behind it froze, and over HTTP/2 may answer pings all the same. After a time-out over HTTP/2 undici goes on
   * sending requests into the silence. The error is of undici's own: at another, or at none, 7.30.2 throws or fails what
   * waits for the next connection (lib/dispatcher/client-h2.js, client.js).
   */
  leave(): void {
    this.#held.socket?.destroy(new errors.SocketError('left after a time-out'));
  }
}

/** Makes what a request goes over. Through a proxy there are two time limits: to the server, and for TLS with it. */
function connector({ timeoutMs, allowH2, proxy = null }: ConnectionSettings): buildConnector.connector {
  const direct = buildConnector({ timeout: timeoutMs, allowH2 });
  return proxy === null ? direct : tunnelled(proxy, direct, timeoutMs);
}

/** At most so many connections, each made when there is a request for it. */
export function connectionPool(
  origin: string,
  connections: number,
  settings: ConnectionSettings,
): Dispatcher {
  return new Pool(origin, { connections, factory: (url) => new Connection(url, settings) });
}
